// Adobe's Node.js SDK, driven by a line of JSON for each step: {"create": options} or {"ask": method, "options": ...}.
// Each is answered by a line: what the SDK returned, or {"error": message}.
const readline = require("readline");

const quiet = { debug() {}, error() {} };
let client;

// For places the SDK asks Adobe's own host, whatever its options say: a place that is to come from elsewhere has to be
// brought there by what fetches.
let places;
const fetchAnything = globalThis.fetch;
globalThis.fetch = (url, given) =>
  fetchAnything(places && String(url).includes("/v1/geo") ? places : url, given);

const TargetClient = require("@adobe/target-nodejs-sdk");

function create({ geo, ...options }) {
  places = geo;
  return new Promise((done, failed) => {
    const made = TargetClient.create({
      logger: quiet,
      telemetryEnabled: false,
      ...options,
      events: {
        clientReady: () => { client = made; done({ created: true }); },
        artifactDownloadFailed: (event) => failed(event.error || new Error("no artifact")),
      },
    });
  });
}

async function ask(method, options) {
  const result = await client[method](options);
  const cookie = (one) => (one ? one.value : null);
  return {
    response: result.response,
    targetCookie: cookie(result.targetCookie),
    targetLocationHintCookie: cookie(result.targetLocationHintCookie),
    meta: result.meta || null,
    visitorState: result.visitorState || null,
  };
}

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const step = JSON.parse(line);
  let answer;
  try {
    answer = step.create ? await create(step.create) : await ask(step.ask, step.options);
  } catch (error) {
    answer = { error: String((error && error.message) || error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}).on("close", () => process.exit(0));
