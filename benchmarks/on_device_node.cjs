// Decisions of Adobe's Node.js SDK on demand: one JSON command per line on stdin, one JSON answer per line on stdout.
// {"artifact", "request"} makes a client; {"calls", "newVisitors"} makes that many decisions and says how long they took.
"use strict";

const readline = require("readline");
const TargetClient = require(require.resolve("@adobe/target-nodejs-sdk", { paths: [process.cwd()] }));

let client;
let asked;
let number = 0;

function refuse(url) {
  throw new Error(`nothing may be sent: ${url}`);
}

function open({ artifact, request, serverDomain }) {
  asked = request;
  return new Promise((resolve) => {
    client = TargetClient.create({
      client: "acme",
      organizationId: "0123456789ABCDEF01234567@AdobeOrg",
      decisioningMethod: "on-device",
      artifactPayload: artifact,
      pollingInterval: 0,
      telemetryEnabled: false,
      targetLocationHint: "38", // with one, no request is sent to find one
      serverDomain,
      secure: false,
      fetchApi: refuse,
      events: { clientReady: () => resolve({ ready: true }) },
    });
  });
}

async function decide({ calls, newVisitors }) {
  let answer;
  const started = process.hrtime.bigint();
  for (let left = calls; left > 0; left -= 1) {
    const visitor = newVisitors ? (number += 1) : 0;
    answer = await client.getOffers({
      request: { ...asked, id: { tntId: `visitor-${visitor}.38_0` } },
      sessionId: "session-1",
    });
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  return { seconds, decided: JSON.stringify(answer.response).includes('"options":[{') };
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    const answer = await (command.artifact ? open(command) : decide(command));
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
