"""What an answer to a browser says of the calls that were made for it: cookies, and that it is for one visitor."""

from __future__ import annotations

from collections.abc import Iterable

from target.response import TargetCookie

_LONGEST_COOKIE = 4096
_SHARED = ("public", "s-maxage")
_PRIVATE = ("private", "no-store")


def set_cookie_headers(
    cookies: Iterable[TargetCookie], path: str, domain: str | None, secure: bool, same_site: str
) -> list[str]:
    """Values of Set-Cookie. A cookie that no browser would keep is left out."""
    fitting = [cookie for cookie in cookies if len(cookie.name) + len(cookie.value) <= _LONGEST_COOKIE]
    return [cookie.set_cookie_header(path, domain, secure, same_site) for cookie in fitting]


def private_cache_control(given: str | None) -> str:
    """The Cache-Control of an answer that no shared cache may keep, since it sets a visitor's cookies.

    Args:
        given: What the application says.
    """
    directives = [text.strip() for text in (given or "").split(",") if text.strip()]
    kept = [text for text in directives if text.partition("=")[0].strip().lower() not in _SHARED]
    if any(text.partition("=")[0].strip().lower() in _PRIVATE for text in kept):
        return ", ".join(kept)
    return ", ".join([*kept, "private"])


def varying_by_cookie(given: str | None) -> str:
    """The Vary of an answer that depends on the visitor's cookies; ``given`` is what the application says."""
    names = [text.strip() for text in (given or "").split(",") if text.strip()]
    if "*" in names or any(name.lower() == "cookie" for name in names):
        return ", ".join(names)
    return ", ".join([*names, "Cookie"])
