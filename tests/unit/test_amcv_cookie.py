"""The AMCV cookie as a browser sends it: what it says, and how it is written back."""

from __future__ import annotations

import json
import re
import time
from http.cookies import SimpleCookie
from urllib.parse import quote

import pytest
import time_machine
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.http import dump_cookie

from target.visitor import Visitor
from tests.kit.amcv import FAR, NOBODY, NOW_S, ORG, REAL, SOMEBODY, Ids, ids
from tests.kit.visitors import BLOB, ECID

pytestmark = pytest.mark.usefixtures("while_the_cookie_is_valid")


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
