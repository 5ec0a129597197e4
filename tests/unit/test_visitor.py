"""The Visitor: what its cookie says whatever it holds, the ids that stitch calls, and the state for the browser."""

from __future__ import annotations

import copy
import json
import pickle
import re
import threading
import time
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.http import dump_cookie

from target import AuthenticatedState, OptionsError, config
from target.config import Runtime
from target.visitor import Visitor, visitor_cookie_name, with_suffix

ORG = "5B67123F5245AD520A490D45@AdobeOrg"
NOW_S = 1585200000
FAR = NOW_S + 3600
ECID = "07327024324407615852294135870030620007"
BLOB = "RKhpRz8krg2tLO6pguXWp5olkAcUniQYPHaMWWgdJ3xzPWQmdj0y"
REAL = (
    f"-1712354808|MCIDTS|18341|MCMID|{ECID}|MCAAMLH-{FAR}|9|MCAAMB-{FAR}|{BLOB}"
    f"|MCOPTOUT-{FAR}s|NONE|MCAID|NONE|vVersion|4.4.0"
)
Ids = tuple[str | None, int | None, str | None, bool]
NOBODY: Ids = (None, None, None, False)
SOMEBODY: Ids = (ECID, 9, BLOB, False)


@pytest.fixture(autouse=True, scope="module")
def _frozen() -> Any:
    with time_machine.travel(NOW_S, tick=False):
        yield


def ids(cookie: str | None) -> Ids:
    visitor = Visitor(ORG, cookie)
    return (
        visitor.marketing_cloud_visitor_id,
        visitor.audience_manager_location_hint,
        visitor.audience_manager_blob,
        visitor.opted_out,
    )


# ------------------------------------------------------------------------------------------------- the cookie, read


@pytest.mark.parametrize(
    "cookie",
    [
        pytest.param(REAL, id="plain"),
        pytest.param(quote(REAL, safe=""), id="percent-encoded"),
        pytest.param(quote(REAL, safe="").replace("%7C", "%7c"), id="percent-encoded-lower-case"),
        pytest.param(f'"{REAL}"', id="quoted-by-a-framework"),
        pytest.param(f'"{quote(REAL, safe="")}"', id="percent-encoded-and-quoted"),
        pytest.param(f" {REAL} ", id="spaces-around"),
        pytest.param(REAL.partition("|")[2], id="no-leading-number"),
        pytest.param(quote(REAL.partition("|")[2], safe=""), id="no-leading-number-percent-encoded"),
        pytest.param(f"|{REAL.partition('|')[2]}", id="empty-leading-number"),
        pytest.param(f"garbage|{REAL.partition('|')[2]}", id="a-word-for-leading-number"),
        pytest.param(f"\x00é%|{REAL.partition('|')[2]}", id="garbage-for-leading-number"),
        pytest.param(f"{REAL}|", id="trailing-bar"),
        pytest.param(f"{REAL}|MCSYNCSOP", id="a-key-without-a-value"),
        pytest.param(
            f"1|vVersion|4.4.0|MCAAMB-{FAR}|{BLOB}|MCAAMLH-{FAR}|9|MCMID|{ECID}", id="another-order-version-first"
        ),
        pytest.param(f"MCAAMB-{FAR}|{BLOB}|MCMID|{ECID}|MCAAMLH-{FAR}|9", id="another-order-no-leading-number"),
        pytest.param(f"1|MCMID|{ECID}|MCAAMLH-{FAR}s|9|MCAAMB-{FAR}s|{BLOB}", id="session-suffix"),
        pytest.param(f"1|MCMID-{FAR}|{ECID}|MCAAMLH|9|MCAAMB|{BLOB}", id="expiry-where-there-is-none-usually"),
        pytest.param(f"1|MCMID|old|MCAAMLH-{FAR}|3|MCAAMB-{FAR}|x|{REAL.partition('|')[2]}", id="the-last-counts"),
        pytest.param(f"1|future|x|{REAL.partition('|')[2]}", id="an-unknown-key"),
        pytest.param(f"1|MCMID|{ECID}|MCAAMLH-{FAR}|009|MCAAMB-{FAR}|{BLOB}", id="leading-zeros"),
        pytest.param(REAL.replace(f"-{FAR}", f"-{NOW_S}"), id="in-the-last-second"),
    ],
)
def test_a_real_cookie_is_read(cookie: str) -> None:
    assert ids(cookie) == SOMEBODY


@pytest.mark.parametrize(
    ("cookie", "found"),
    [
        pytest.param(None, NOBODY, id="none"),
        pytest.param("", NOBODY, id="empty"),
        pytest.param("|", NOBODY, id="one-bar"),
        pytest.param("-1712354808", NOBODY, id="number-only"),
        pytest.param("garbage", NOBODY, id="a-word"),
        pytest.param("MCMID", NOBODY, id="a-key-only"),
        pytest.param(f"1|MCMID|{ECID}", (ECID, None, None, False), id="ecid-only"),
        pytest.param(f'"1|MCMID|{ECID}"', (ECID, None, None, False), id="quotes-next-to-an-id"),
        pytest.param(f"1|MCAAMLH-{FAR}|9", (None, 9, None, False), id="region-only"),
        pytest.param("1|MCMID|NONE|MCAAMLH|NONE|MCAAMB|NONE|MCOPTOUT|NONE|MCAID|NONE", NOBODY, id="all-none"),
        pytest.param(REAL.replace(str(FAR), str(NOW_S - 1)), (ECID, None, None, False), id="expired"),
        pytest.param(REAL.replace(f"{FAR}|", f"{NOW_S - 1}s|"), (ECID, None, None, False), id="expired-session-suffix"),
        pytest.param(f"1|MCMID-{NOW_S - 1}|{ECID}", NOBODY, id="expired-ecid"),
        pytest.param(f"1|MCMID-0|{ECID}", NOBODY, id="expired-in-1970"),
        pytest.param(f"1|MCMID|a|MCMID-{NOW_S - 1}|b", ("a", None, None, False), id="the-last-that-has-not-expired"),
        pytest.param(f"1|MCMID|{ECID}|MCMID|NONE", NOBODY, id="the-last-counts-even-none"),
        pytest.param("1|MCMID|" + "9" * 128, ("9" * 128, None, None, False), id="longest-ecid"),
        pytest.param("1|MCMID|" + "9" * 129, NOBODY, id="ecid-too-long"),
        pytest.param("1|MCMID|", NOBODY, id="ecid-empty"),
        pytest.param("1|MCMID|a b", NOBODY, id="ecid-with-a-space"),
        pytest.param("1|MCMID|a\nb", NOBODY, id="ecid-with-a-line-break"),
        pytest.param("1|MCMID|\ud800", NOBODY, id="ecid-is-a-lone-surrogate"),
        pytest.param("1|MCMID|٣", NOBODY, id="ecid-not-ascii"),
        pytest.param("1|MCMID|a%7Cb", ("a%7Cb", None, None, False), id="percent-in-a-plain-cookie-is-kept"),
        pytest.param("1%7CMCMID%7Ca%257Cb", ("a%7Cb", None, None, False), id="decoded-once-not-twice"),
        pytest.param("1%7CMCMID%7C%FF%FE", NOBODY, id="bytes-that-are-no-utf-8"),
        pytest.param("1|mcmid|a", NOBODY, id="lower-case"),
        pytest.param("1|MCAAMB|" + "b" * 1024, (None, None, "b" * 1024, False), id="longest-blob"),
        pytest.param("1|MCAAMB|" + "b" * 1025, NOBODY, id="blob-too-long"),
        *(
            pytest.param(f"1|MCAAMLH|{hint}", NOBODY, id=f"region-{name}")
            for name, hint in {
                "zero": "0",
                "negative": "-9",
                "signed": "+9",
                "fraction": "9.0",
                "words": "nine",
                "underscore": "1_0",
                "digits-not-ascii": "٩",
                "space": " 9",
                "ten-digits": "1234567890",
                "5000-zeros": "0" * 5000 + "9",
                "5000-nines": "9" * 5000,
            }.items()
        ),
    ],
)
def test_what_a_cookie_says(cookie: str | None, found: Ids) -> None:
    assert ids(cookie) == found


@pytest.mark.parametrize(
    ("entry", "opted_out"),
    [
        pytest.param(f"MCOPTOUT-{FAR}s|NONE", False, id="none"),
        pytest.param("MCOPTOUT|NONE", False, id="none-without-expiry"),
        pytest.param(f"MCOPTOUT-{FAR}s|isoptedout", True, id="a-word"),
        pytest.param(f"MCOPTOUT-{FAR}|Y", True, id="no-session-suffix"),
        pytest.param("MCOPTOUT|0", True, id="zero"),
        pytest.param("MCOPTOUT|none", True, id="none-in-lower-case"),
        pytest.param(f"MCOPTOUT-{FAR}s|", True, id="empty-value"),
        pytest.param(f"MCOPTOUT-{FAR}s", True, id="cut-off-before-its-value"),
        pytest.param("MCOPTOUT|é\ud800", True, id="garbage"),
        pytest.param("MCOPTOUT|" + "x" * 5000, True, id="endless"),
        pytest.param(f"MCOPTOUT-{NOW_S - 1}s|isoptedout", False, id="expired"),
        pytest.param(f"MCOPTOUT-{NOW_S - 1}|isoptedout", False, id="expired-no-session-suffix"),
        pytest.param("MCOPTOUT|NONE|MCOPTOUT|isoptedout", True, id="the-last-says-so"),
        pytest.param("MCOPTOUT|isoptedout|MCOPTOUT|NONE", False, id="the-last-says-no"),
    ],
)
def test_opting_out(entry: str, opted_out: bool) -> None:
    for leading in ("1|", "", f"1|MCMID|{ECID}|", "garbage|"):
        assert Visitor(ORG, leading + entry).opted_out is opted_out


ANY_TEXT = st.text(st.characters()) | st.binary().map(lambda data: data.decode("latin-1"))
PART = st.sampled_from(
    ["MCMID", "MCAAMLH", "MCAAMB", "MCOPTOUT", "vVersion", "NONE", ECID, "9", BLOB, '"', "%7C", "-1", f"-{FAR}s", "|"]
)
ANY_COOKIE = ANY_TEXT | st.lists(PART | ANY_TEXT).map("|".join) | st.lists(PART).map("".join)


@given(ANY_COOKIE)
@example("%" * 100)
@example('1|MCMID|5"|MCAAMLH-1|9')
def test_any_cookie_is_read_or_left_out(cookie: str) -> None:
    visitor = Visitor(ORG, cookie)
    ecid, hint, blob, _ = ids(cookie)
    assert ecid is None or re.fullmatch(r"[!-~]{1,128}", ecid)
    assert hint is None or 1 <= hint < 10**9
    assert blob is None or re.fullmatch(r"[!-~]{1,1024}", blob)
    json.loads(visitor.state_json())
    written = visitor.cookie_value()
    assert ids(written) == ids(cookie)
    assert Visitor(ORG, written).cookie_value() == written


@pytest.mark.parametrize(
    "unit", ["|", "a|", "|a", "%", "%7C", "%7c%", '"', " ", "-", "-1", "-1s|", "|||-9|", "é|", "0"]
)
def test_a_megabyte_is_read_in_linear_time(unit: str) -> None:
    def seconds(size: int) -> float:
        cookie = f"1|MCMID|{ECID}|MCAAMLH|" + unit * (size // len(unit))
        start = time.thread_time()  # which no other process of a busy machine adds to
        Visitor(ORG, cookie).cookie_value()
        return time.thread_time() - start

    with time_machine.travel(NOW_S, tick=True):
        small, large = min(seconds(250_000) for _ in range(2)), seconds(1_000_000)
    # Four times the size; squared would be sixteen times, and seconds.
    assert large < 10 * small + 0.1


def test_nothing_of_one_visitor_reaches_another() -> None:
    first, second = Visitor(ORG, REAL), Visitor(ORG, None)
    first.set_customer_ids({"crm": "1"})
    first.supplemental_data_id()
    assert ids(None) == NOBODY
    assert second.customer_ids == []
    assert second.state() == {ORG: {}}


# ---------------------------------------------------------------------------------------------- the cookie, written


def test_a_real_cookie_is_written_back_as_it_was() -> None:
    assert Visitor(ORG, REAL).cookie_value() == REAL
    assert Visitor(ORG, quote(REAL, safe="")).cookie_value() == REAL


def test_what_has_expired_is_not_written() -> None:
    cookie = f"-17|MCMID|{ECID}|MCAAMLH-{NOW_S - 1}|9|MCOPTOUT-{NOW_S - 1}s|NONE|vVersion|4.4.0"
    assert Visitor(ORG, cookie).cookie_value() == f"-17|MCMID|{ECID}|vVersion|4.4.0"


@pytest.mark.parametrize("cookie", [None, "", "garbage", "-17", f"-17|MCMID-{NOW_S - 1}|{ECID}"])
def test_nothing_to_write_is_empty(cookie: str | None) -> None:
    assert Visitor(ORG, cookie).cookie_value() == ""


@pytest.mark.parametrize(
    "value", ['a"b', "a;b", "a,b", "a b", "a\\b", "a/b", "a=b", "é", "\r\nSet-Cookie: x=1", "\ud800"]
)
def test_what_would_need_quotes_is_percent_encoded(value: str) -> None:
    written = Visitor(ORG, f"-17|MCMID|{ECID}|other|{value}|more|1").cookie_value()
    assert re.fullmatch(r"[A-Za-z0-9%._~-]+", written)
    assert ids(written) == (ECID, None, None, False)


@given(ANY_COOKIE)
@example(f'1|MCMID|{ECID}|x|"a;b, c\\')
def test_no_framework_quotes_what_is_written(cookie: str) -> None:
    written = Visitor(ORG, cookie).cookie_value()
    jar = SimpleCookie()
    jar["AMCV"] = written
    quoted = '""' if written == "" else written  # http.cookies writes nothing at all as ""
    assert jar["AMCV"].OutputString() == f"AMCV={quoted}"
    assert dump_cookie("AMCV", written, path=None, max_size=0) == f"AMCV={written}"


@pytest.mark.parametrize("junk", ["x|" * 5000, "é|y|" * 400, "k|" + "v" * 4096, "k|v" * 2000])
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_long_cookie_is_written_without_what_nothing_reads(junk: str, place: str) -> None:
    known = f"MCMID|{ECID}|MCAAMLH-{FAR}|9|MCAAMB-{FAR}|{'/' * 1024}|MCOPTOUT-{FAR}s|isoptedout"
    junk = junk.strip("|") + ("|end" if junk.strip("|").count("|") % 2 == 0 else "")
    written = Visitor(ORG, f"-17|{junk}|{known}" if place == "before" else f"-17|{known}|{junk}").cookie_value()
    assert 0 < len(written) <= 4096
    assert ids(written) == (ECID, 9, "/" * 1024, True)


def test_an_endless_opt_out_is_never_written_back_as_none() -> None:
    assert Visitor(ORG, f"1|MCMID|{ECID}|MCOPTOUT|{'x' * 5000}").cookie_value() == ""


# ------------------------------------------------------------------------------------------------- made by the caller


@pytest.mark.parametrize(
    "make",
    [
        lambda: Visitor("", None),
        lambda: Visitor(None, None),  # type: ignore[arg-type]
        lambda: Visitor(ORG, b"1|MCMID|1"),  # type: ignore[arg-type]
        lambda: Visitor.new(""),
    ],
)
def test_what_a_developer_gets_wrong_raises(make: Callable[[], Visitor]) -> None:
    with pytest.raises(OptionsError, match=r"Organization Id is required|'visitor_cookie' must be a string, not bytes"):
        make()


def test_a_new_visitor_has_no_ecid() -> None:
    visitor = Visitor.new(ORG)
    assert visitor.marketing_cloud_visitor_id is None
    assert visitor.cookie_value() == ""
    assert "Only Adobe's ID service can" in str(Visitor.new.__doc__)


def test_a_new_visitor_has_the_ecid_that_was_minted() -> None:
    visitor = Visitor.new(ORG, mint=lambda: ECID)
    assert visitor.marketing_cloud_visitor_id == ECID
    assert ids(visitor.cookie_value()) == (ECID, None, None, False)


@pytest.mark.parametrize("issued", ["", "a b", "a|b", "9" * 129, "\n", "é", "NONE", None, 5])
def test_a_minted_id_that_cannot_be_one_is_refused(issued: Any) -> None:
    with pytest.raises(OptionsError, match="mint must return an Experience Cloud id") as caught:
        Visitor.new(ORG, mint=lambda: issued)
    assert not issued or repr(issued) not in str(caught.value)


def test_a_subclass_makes_its_own() -> None:
    class Guest(Visitor):
        pass

    assert type(Guest.new(ORG)) is Guest


@pytest.mark.parametrize(
    ("organization_id", "name"),
    [("1234", "AMCV_1234@AdobeOrg"), ("1234@AdobeOrg", "AMCV_1234@AdobeOrg"), ("1234@Other", "AMCV_1234@Other")],
)
def test_the_name_of_the_cookie(organization_id: str, name: str) -> None:
    assert visitor_cookie_name(organization_id) == name
    assert f"AMCV_{with_suffix(organization_id)}" == name


def test_no_id_is_in_the_repr() -> None:
    visitor = Visitor(ORG, REAL)
    visitor.set_customer_ids({"crm": "secret-1"})
    assert repr(visitor) == "Visitor(has_id=True, opted_out=False)"


# ------------------------------------------------------------------------------------------------------- customer ids


@pytest.mark.parametrize(
    ("state", "wire", "number"),
    [
        (0, "unknown", 0),
        (1, "authenticated", 1),
        (2, "logged_out", 2),
        ("0", "unknown", 0),
        ("1", "authenticated", 1),
        ("2", "logged_out", 2),
        ("logged_out", "logged_out", 2),
        (AuthenticatedState.UNKNOWN, "unknown", 0),
        (AuthenticatedState.AUTHENTICATED, "authenticated", 1),
        (AuthenticatedState.LOGGED_OUT, "logged_out", 2),
        (None, "unknown", 0),
    ],
)
def test_authentication_states(state: Any, wire: str, number: int) -> None:
    visitor = Visitor(ORG)
    visitor.set_customer_ids({"crm": {"id": "1", "authState": state}})
    assert visitor.customer_ids == [{"id": "1", "integrationCode": "crm", "authenticatedState": wire}]
    assert visitor.state() == {ORG: {"customerIDs": {"crm": {"id": "1", "authState": number}}}}


def test_a_bare_string_is_an_id_of_unknown_state() -> None:
    visitor = Visitor(ORG)
    visitor.set_customer_ids({"puuid": "550e8400"})
    assert visitor.customer_ids == [{"id": "550e8400", "integrationCode": "puuid", "authenticatedState": "unknown"}]


def test_a_later_id_replaces_that_of_its_integration_code_only() -> None:
    visitor = Visitor(ORG)
    visitor.set_customer_ids({"crm": "1", "shop": "2"})
    visitor.set_customer_ids({"crm": {"id": "3", "authState": 1}})
    assert [(entry["integrationCode"], entry["id"]) for entry in visitor.customer_ids] == [("crm", "3"), ("shop", "2")]


@pytest.mark.parametrize(
    "bad", [None, "crm", ["crm"], 5, {"crm": {}}, {"crm": 5.0}, {"crm": {"id": "1", "authState": 3}}]
)
def test_customer_ids_that_are_none_change_nothing(bad: Any) -> None:
    visitor = Visitor(ORG)
    visitor.set_customer_ids({"crm": "1"})
    with pytest.raises(OptionsError, match="customer_ids"):
        visitor.set_customer_ids({"shop": "2", **bad} if isinstance(bad, dict) else bad)
    assert [entry["id"] for entry in visitor.customer_ids] == ["1"]


@pytest.mark.parametrize("twin_of", [copy.deepcopy, copy.copy, lambda visitor: pickle.loads(pickle.dumps(visitor))])
def test_a_pickle_or_a_copy_goes_on_by_itself(twin_of: Callable[[Visitor], Visitor]) -> None:
    visitor = Visitor(ORG, REAL)
    visitor.set_customer_ids({"crm": {"id": "1", "authState": 1}})
    first = visitor.supplemental_data_id("top")
    before = (visitor.state(), visitor.cookie_value(), visitor.customer_ids)
    twin = twin_of(visitor)
    assert (twin.state(), twin.cookie_value(), twin.customer_ids) == before
    assert twin.supplemental_data_id("side") == first
    twin.set_customer_ids({"shop": "2"})
    assert (visitor.state(), visitor.cookie_value(), visitor.customer_ids) == before
    assert visitor.supplemental_data_id("top") != first


def test_a_visitor_is_copied_as_it_is_at_one_moment() -> None:
    visitor = Visitor(ORG)
    ended = threading.Event()

    def use() -> None:
        while not ended.is_set():
            visitor.supplemental_data_id("top")
            visitor.supplemental_data_id("side")

    thread = threading.Thread(target=use)
    thread.start()
    try:
        twins = [copy.deepcopy(visitor) for _ in range(200)]
    finally:
        ended.set()
        thread.join()
    for twin in twins:
        sdid = twin.state()[ORG].get("sdid", {})
        assert set(sdid.get("supplementalDataIDCurrentConsumed", {})) <= {"payload:top", "payload:side"}


def test_what_is_handed_out_is_a_copy() -> None:
    given_ids = {"crm": {"id": "1", "authState": 1}}
    visitor = Visitor(ORG)
    visitor.set_customer_ids(given_ids)
    given_ids["crm"]["id"] = "changed"
    visitor.customer_ids[0]["id"] = "changed"
    visitor.state()[ORG]["customerIDs"]["crm"]["id"] = "changed"
    assert visitor.customer_ids[0]["id"] == "1"
    assert visitor.state()[ORG]["customerIDs"]["crm"]["id"] == "1"


def test_the_state_of_a_visitor_who_opted_out_has_no_customer_ids() -> None:
    visitor = Visitor(ORG, f"1|MCMID|{ECID}|MCOPTOUT-{FAR}s|isoptedout")
    visitor.set_customer_ids({"crm": "1"})
    visitor.supplemental_data_id()
    assert visitor.state()[ORG].keys() == {"sdid"}


# ----------------------------------------------------------------------------------------------- supplemental data id

SDID = re.compile(r"[0-9A-F]{16}-[0-9A-F]{16}")


def test_calls_of_different_consumers_share_one_id() -> None:
    visitor = Visitor(ORG)
    first = visitor.supplemental_data_id()
    assert SDID.fullmatch(first)
    assert len(first) == 33
    assert visitor.supplemental_data_id("header") == visitor.supplemental_data_id("footer") == first


def test_a_consumer_that_asks_again_starts_a_new_id() -> None:
    visitor = Visitor(ORG)
    first = visitor.supplemental_data_id("header")
    second = visitor.supplemental_data_id("header")
    assert second != first
    # Everybody goes on with the new one, who used the old one included.
    assert visitor.supplemental_data_id("footer") == second
    assert visitor.supplemental_data_id("footer") not in (first, second)


def test_no_two_visitors_share_an_id() -> None:
    assert len({Visitor(ORG, REAL).supplemental_data_id() for _ in range(1000)}) == 1000


def test_the_default_consumer_is_the_global_mbox() -> None:
    visitor = Visitor(ORG)
    first = visitor.supplemental_data_id()
    assert visitor.supplemental_data_id("target-global-mbox") != first


def test_the_state_names_current_and_last_with_their_consumers() -> None:
    visitor = Visitor("1234")
    assert visitor.state() == {"1234@AdobeOrg": {}}
    first = visitor.supplemental_data_id("header")
    visitor.supplemental_data_id("footer")
    current = {
        "supplementalDataIDCurrent": first,
        "supplementalDataIDCurrentConsumed": {"payload:header": True, "payload:footer": True},
    }
    assert visitor.state() == {"1234@AdobeOrg": {"sdid": current}}
    second = visitor.supplemental_data_id("header")
    assert visitor.state() == {
        "1234@AdobeOrg": {
            "sdid": {
                "supplementalDataIDCurrent": second,
                "supplementalDataIDCurrentConsumed": {"payload:header": True},
                "supplementalDataIDLast": first,
                "supplementalDataIDLastConsumed": {"payload:header": True, "payload:footer": True},
            }
        }
    }


def in_threads(work: Callable[[int], None], count: int) -> None:
    failed: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            barrier.wait()
            work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_threads_with_one_consumer_each_share_one_id() -> None:
    for _ in range(20):
        visitor, seen = Visitor(ORG), []
        in_threads(lambda number: seen.append(visitor.supplemental_data_id(f"c{number}")), 16)  # noqa: B023
        assert len(seen) == 16
        assert len(set(seen)) == 1
        assert len(visitor.state()[ORG]["sdid"]["supplementalDataIDCurrentConsumed"]) == 16


def test_threads_with_the_same_consumer_never_share_an_id() -> None:
    visitor, seen = Visitor(ORG), []

    def work(_: int) -> None:
        seen.extend(visitor.supplemental_data_id() for _ in range(200))

    in_threads(work, 8)
    assert len(seen) == len(set(seen)) == 1600


def test_the_state_is_readable_while_threads_change_it() -> None:
    visitor = Visitor(ORG)

    def work(number: int) -> None:
        for index in range(100):
            visitor.set_customer_ids({f"code{number}-{index}": "1"})
            visitor.supplemental_data_id(f"c{number}-{index % 3}")
            assert len(visitor.state()[ORG]["customerIDs"]) <= len(visitor.customer_ids)

    in_threads(work, 4)
    assert len(visitor.customer_ids) == 400


# ---------------------------------------------------------------------------------------------------- inside a script


@pytest.mark.parametrize(
    "hostile", ["</script><script>alert(1)</script>", "<!--", "]]>", "\u2028", "\u2029", "&quot;", "'\"\\", "\ud800"]
)
def test_the_state_is_safe_inside_a_script_element(hostile: str) -> None:
    visitor = Visitor(hostile)
    visitor.set_customer_ids({hostile: {"id": hostile}})
    visitor.supplemental_data_id(hostile)
    text = visitor.state_json()
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == visitor.state()
    assert hostile in visitor.state()[with_suffix(hostile)]["customerIDs"]


def test_time_ids_and_locks_are_the_runtimes(monkeypatch: pytest.MonkeyPatch) -> None:
    locks: list[Any] = []

    def new_lock() -> Any:
        locks.append(threading.Lock())
        return locks[-1]

    monkeypatch.setattr(config, "system_runtime", Runtime(lambda: float(FAR), lambda: "made-id", lambda: 0, new_lock))
    first, second = Visitor(ORG, f"1|MCMID-{FAR}|{ECID}"), Visitor(ORG, f"1|MCMID-{FAR - 1}|{ECID}")
    assert [visitor.marketing_cloud_visitor_id for visitor in (first, second)] == [ECID, None]
    assert first.supplemental_data_id() == second.supplemental_data_id()
    assert len(locks) == 2
    with locks[0]:
        assert pickle.loads(pickle.dumps(second)).supplemental_data_id("other") == second.supplemental_data_id("other")
    assert len(locks) == 3
