"""Asks for the artifact: past caches, with the caller's own headers, and none that is too much to be parsed."""

from __future__ import annotations

from target._http.abort import Abort
from target._http.deadline import Deadline
from target._on_device.download import Download, Downloads
from target.errors import ArtifactError
from target.on_device_config import OnDeviceConfig
from target.reading import LEAST_MOST_VALUES, weighs_more

_BYTES_PER_VALUE = 3  # published artifacts have six and more, and conditions alone come to about three and a half


class ArtifactSource:
    """Where the artifact of one client comes from. Safe to share between threads.

    Args:
        config: Where it is, and which headers it takes.
        downloads: What asks for it.
        most_values: The option ``max_response_values``.
    """

    def __init__(self, config: OnDeviceConfig, downloads: Downloads, most_values: int | None) -> None:
        self._url = config.artifact_url
        self._headers = config.artifact_headers
        self._downloads = downloads
        self._most_values = most_values

    def fetch(self, headers: dict[str, str], timeout_s: float, abort: Abort) -> Download | Exception:
        """What came, or what went wrong; never raises. The caller's own headers are asked for before the time runs."""
        try:
            own = {} if self._headers is None else self._headers.current()
            asked = {**own, **headers, "Cache-Control": "no-cache"}
            download = self._downloads.get(self._url, asked, Deadline(timeout_s, abort))
            if download.status == 200:
                require_bounds(download.content, self._most_values)
        except Exception as error:  # noqa: BLE001  (whatever it is, the thread must go on)
            if self._headers is not None:
                _drop_frames(error)
            return error
        return download


def _drop_frames(error: BaseException) -> None:
    """Let ``error`` and its causes tell their words alone: the frames that they came through hold the headers, and who
    shows local variables would show a token."""
    todo: list[BaseException | None] = [error]
    while todo:
        link = todo.pop()
        if link is not None and link.__traceback__ is not None:
            link.__traceback__ = None
            todo += [link.__cause__, link.__context__]


def require_bounds(content: bytes, most_values: int | None) -> None:
    """Check an artifact before any of it is parsed.

    Args:
        content: Its JSON.
        most_values: What the option ``max_response_values`` says; None: one for every 3 bytes.

    Raises:
        ArtifactError: It holds more values than may be.
    """
    most = max(LEAST_MOST_VALUES, len(content) // _BYTES_PER_VALUE) if most_values is None else most_values
    if weighs_more(content, most):
        raise ArtifactError(
            f"The artifact holds more JSON values than may be ({most}, an object counted as four): check that it is "
            "one, or raise max_response_values"
        )
