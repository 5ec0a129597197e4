"""An AMCV cookie as a browser has it, when it is valid, and what a visitor with it is."""

from __future__ import annotations

from target import Visitor
from tests.kit.visitors import BLOB, ECID

ORG = "5B67123F5245AD520A490D45@AdobeOrg"
NOW_S = 1585200000
FAR = NOW_S + 3600
REAL = (
    f"-1712354808|MCIDTS|18341|MCMID|{ECID}|MCAAMLH-{FAR}|9|MCAAMB-{FAR}|{BLOB}"
    f"|MCOPTOUT-{FAR}s|NONE|MCAID|NONE|vVersion|4.4.0"
)
Ids = tuple[str | None, int | None, str | None, bool]
NOBODY: Ids = (None, None, None, False)
SOMEBODY: Ids = (ECID, 9, BLOB, False)


def ids(cookie: str | None) -> Ids:
    visitor = Visitor(ORG, cookie)
    return (
        visitor.marketing_cloud_visitor_id,
        visitor.audience_manager_location_hint,
        visitor.audience_manager_blob,
        visitor.opted_out,
    )
