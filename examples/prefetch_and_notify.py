"""Prefetch the offers of two mboxes, show one, and report that it was shown.

Against the local emulator (start it with `target emulate`):

    python examples/prefetch_and_notify.py --client acmeclient --organization-id acme@AdobeOrg \
        --server-domain 127.0.0.1:8080

Against a real account, which has activities for the mboxes `home` and `product1`:

    python examples/prefetch_and_notify.py --client <client code> --organization-id <id>@AdobeOrg
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from target import DeliveryRequest, MboxRequest, PrefetchRequest, TargetClient


def main() -> int:
    with TargetClient.create(client_options()) as client:
        prefetch = PrefetchRequest(mboxes=[MboxRequest(name="home"), MboxRequest(name="product1")])
        result = client.get_offers({"request": DeliveryRequest(prefetch=prefetch)})

        print("offers:")
        for name in ("home", "product1"):
            for option in result.options(name):
                print(f"  {name}: {option.type} {option.content!r}")

        # A web application sends these two back to the visitor's browser, and hands them in with the next call.
        print("cookies to set:")
        for cookie in (result.target_cookie, result.target_location_hint_cookie):
            if cookie is not None:
                print(f"  {cookie.set_cookie_header()}")

        if not result.options("home"):
            print("There is no offer for the mbox 'home': is there a live activity for it?", file=sys.stderr)
            return 1
        print(f"shown: {result.content('home', 'the default content')}")

        # A prefetch counts no impression; this notification does.
        (displayed,) = result.displayed("home")
        answer = client.notify(result, displayed=[displayed])
        acknowledged = [notification.id for notification in answer.response.notifications or []]
        if displayed.id not in acknowledged:
            print("The notification was not acknowledged; send it again later.", file=sys.stderr)
            return 1
        print(f"acknowledged notification: {displayed.id}")
    return 0


def client_options() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description="Prefetch two mboxes, show one, send its display notification.")
    parser.add_argument("--client", required=True, help="your client code")
    parser.add_argument("--organization-id", required=True, help="your organization, as in 1234@AdobeOrg")
    parser.add_argument("--server-domain", help="the host to call, if not <client>.tt.omtrdc.net")
    given = parser.parse_args()
    options: dict[str, Any] = {"client": given.client, "organization_id": given.organization_id}
    if given.server_domain:
        options["server_domain"] = given.server_domain
        if given.server_domain.split(":")[0] in ("127.0.0.1", "localhost"):
            # The emulator speaks plain HTTP, and the edge host it names in its answers is not on this machine.
            options |= {"secure": False, "edge_routing": False}
    return options


if __name__ == "__main__":
    sys.exit(main())
