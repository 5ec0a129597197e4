"""What a call failed with, in the words of OpenFeature."""

from __future__ import annotations

from openfeature.exception import ErrorCode, OpenFeatureError

from target import ArtifactNotReady, ClientClosed, OptionsError, TargetError

_CODES: tuple[tuple[type[TargetError], ErrorCode], ...] = (
    (OptionsError, ErrorCode.INVALID_CONTEXT),
    (ArtifactNotReady, ErrorCode.PROVIDER_NOT_READY),
    (ClientClosed, ErrorCode.PROVIDER_NOT_READY),
)


def failure_of(error: TargetError) -> OpenFeatureError:
    """``error`` with its code; messages of a TargetError hold no ids."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), ErrorCode.GENERAL)
    return OpenFeatureError(code, f"{type(error).__name__}: {error}")


def is_shared(failure: OpenFeatureError) -> bool:
    """Whether the rest of a transaction fails likewise: a service that is away costs its timeout once."""
    return failure.error_code is ErrorCode.GENERAL
