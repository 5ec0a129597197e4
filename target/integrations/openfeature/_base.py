"""What both providers are: the way from a flag key to its details, but for the call between."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, Unpack

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import GeneralError, OpenFeatureError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagType, Reason
from openfeature.hook import Hook
from openfeature.provider import Metadata

from target import TargetDeliveryResponse, TargetError
from target.integrations.openfeature._answers import Answer, Answers, Shared
from target.integrations.openfeature._contexts import Asking, read_context
from target.integrations.openfeature._failures import failure_of, is_shared
from target.integrations.openfeature._flag_keys import candidates
from target.integrations.openfeature._readiness import Readiness, Watched
from target.integrations.openfeature._reading import read_flag
from target.integrations.openfeature._resolvers import Resolvers
from target.integrations.openfeature._settings import ProviderOptions, parse_settings
from target.loggers import Log

NAME = "Adobe Target"
NO_RULES = "There are no rules yet to decide by: the client's log says why"

#: What an evaluation does on its way: make a call with these options, for an Answer; wait for that of another; let
#: others say what they need.
Step = dict[str, Any] | Future[None] | None
Steps = Generator[Step, Any, tuple[dict[str, Answer], bool]]

logger = Log(logging.getLogger("target.openfeature"))


class Evaluation(NamedTuple):
    """One evaluation on its way.

    Attributes:
        key: The flag's.
        kind: What it has to be.
        default: What is returned where it is not.
        names: The mboxes that it may be of, the longest name first.
        asking: Who asks, and with what.
        shared: The answers of this transaction; None where there is none.
    """

    key: str
    kind: FlagType
    default: Any
    names: tuple[str, ...]
    asking: Asking
    shared: Shared | None


class BaseProvider(Resolvers):
    """The part of a provider that asks nobody."""

    def __init__(self, client: Watched, **options: Unpack[ProviderOptions]) -> None:
        super().__init__()
        self._settings = parse_settings(options)
        self._answers = Answers(self._settings.max_age_s)
        self._readiness = Readiness(client, self.emit)

    def get_metadata(self) -> Metadata:
        """The provider's name."""
        return Metadata(NAME)

    def get_provider_hooks(self) -> list[Hook]:
        """The hooks that the provider was made with."""
        return list(self._settings.hooks)

    def _begin(self, key: str, kind: FlagType, default: Any, context: EvaluationContext | None) -> Evaluation:
        """Raises OpenFeatureError."""
        names = candidates(key, self._settings.known)
        asking = read_context(context, self._settings)
        return Evaluation(key, kind, default, names, asking, self._answers.of_now(asking.mark))

    def _steps(self, evaluation: Evaluation) -> Steps:
        """Gather the answers to read the flag from, and say whether other evaluations had asked for all of them: what
        to do on the way is yielded. Raises OpenFeatureError."""
        shared, names = evaluation.shared, evaluation.names
        if shared is None:
            answer: Answer = yield self._options(evaluation.asking, names, None)
            return dict.fromkeys(names, answer), False
        self._answers.learn(names)
        is_cached = True
        while (found := self._found(evaluation, shared)) is None:
            turn = shared.begin(names)
            if turn is True:
                is_cached = False
                yield from self._ask(evaluation, shared)
            elif turn:
                yield turn
        return found, is_cached

    def _ask(self, evaluation: Evaluation, shared: Shared) -> Generator[Step, Answer, None]:
        """Make one call for all evaluations of the transaction that wait for one."""
        asked: list[str] = []
        answer = failure = None
        try:
            yield None
            asked = shared.wanted(evaluation.names, self._to_ask())
            answer = yield self._options(evaluation.asking, asked, shared.latest)
        except OpenFeatureError as error:
            failure = error if is_shared(error) else None
            raise
        finally:
            shared.end(asked, answer, failure)

    def _found(self, evaluation: Evaluation, shared: Shared) -> dict[str, Answer] | None:
        """The answers of this transaction, where they are enough to read the flag from."""
        found = shared.find(evaluation.names)
        is_enough = len(found) == len(evaluation.names) or (found and _is_in(evaluation, found))
        return found if is_enough else None

    def _to_ask(self) -> list[str]:
        """What a transaction asks for beside what its first evaluation needs."""
        return list(self._settings.mboxes) if self._settings.mboxes is not None else self._answers.learnt

    @abstractmethod
    def _call(self, options: Any) -> TargetDeliveryResponse:
        """Make a call with these options. Raises TargetError and OpenFeatureError."""

    @abstractmethod
    async def _call_async(self, options: Any) -> TargetDeliveryResponse:
        """The same, awaited."""

    @abstractmethod
    def _tell_shown(self, answer: Answer, mbox: str) -> None:
        """Tell Target, aside, that ``mbox`` of ``answer`` was shown."""

    def _resolve(
        self, kind: FlagType, key: str, default: Any, context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        try:
            evaluation = self._begin(key, kind, default, context)
            return self._read(evaluation, *_run(self._steps(evaluation), self._do))
        except OpenFeatureError as error:
            return _failed(default, error)
        except Exception as error:  # noqa: BLE001  (an evaluation never raises)
            return _broken(default, error)

    async def _resolve_async(
        self, kind: FlagType, key: str, default: Any, context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        try:
            evaluation = self._begin(key, kind, default, context)
            return self._read(evaluation, *await _run_async(self._steps(evaluation), self._do_async))
        except OpenFeatureError as error:
            return _failed(default, error)
        except Exception as error:  # noqa: BLE001
            return _broken(default, error)

    def _do(self, step: Step) -> Answer | None:
        """Do what an evaluation needs on its way. Raises OpenFeatureError."""
        if isinstance(step, Future):
            step.result()
        if not isinstance(step, dict):
            return None
        try:
            return self._answer(self._call(step))
        except TargetError as error:
            failure = failure_of(error)
        raise failure

    async def _do_async(self, step: Step) -> Answer | None:
        """The same, awaited."""
        if isinstance(step, Future):
            await asyncio.wrap_future(step)
        if step is None:
            await asyncio.sleep(0)
        if not isinstance(step, dict):
            return None
        try:
            return self._answer(await self._call_async(step))
        except TargetError as error:
            failure = failure_of(error)
        raise failure

    def _options(self, asking: Asking, names: Sequence[str], after: Answer | None) -> dict[str, Any]:
        """Options of the call for these mboxes; of one that follows another, as the visitor of that."""
        mboxes = [{"name": name, **asking.mbox} for name in names]
        options = {**asking.options, "request": {**asking.request, self._settings.exposure: {"mboxes": mboxes}}}
        if after is not None:
            result = after.result
            options["target_cookie"] = result.target_cookie.value
            if (hint := result.target_location_hint_cookie) is not None:
                options["target_location_hint"] = hint.value
        return options

    def _answer(self, result: TargetDeliveryResponse) -> Answer:
        return Answer(result, self._readiness.is_stale and result.meta.decisioning_method == "on-device")

    def _read(self, evaluation: Evaluation, found: Mapping[str, Answer], is_cached: bool) -> FlagResolutionDetails[Any]:
        """The details of the flag, and Target hears that it was shown. Raises OpenFeatureError."""
        key, kind, default, names, _, _ = evaluation
        reading = read_flag(key, kind, default, names, found, is_cached)
        if reading.is_shown and self._settings.exposure == "prefetch":
            answer = found[reading.mbox]
            if answer.tell_once(reading.mbox):
                self._tell_shown(answer, reading.mbox)
        return reading.details


def _is_in(evaluation: Evaluation, found: Mapping[str, Answer]) -> bool:
    """Whether an mbox that was answered has the flag, so that nobody asks whether one of a longer name has it, too."""
    try:
        reading = read_flag(evaluation.key, evaluation.kind, evaluation.default, tuple(found), found, True)
    except OpenFeatureError:
        return False
    return reading.details.reason not in (Reason.DEFAULT, Reason.DISABLED)


def _run(steps: Steps, do: Callable[[Step], Answer | None]) -> tuple[dict[str, Answer], bool]:
    """Take all ``steps``: what they come to."""
    try:
        step = next(steps)
        while True:
            try:
                done = do(step)
            except OpenFeatureError as error:
                step = steps.throw(error)
            else:
                step = steps.send(done)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]
    finally:
        steps.close()


async def _run_async(steps: Steps, do: Callable[[Step], Awaitable[Answer | None]]) -> tuple[dict[str, Answer], bool]:
    """The same, awaited."""
    try:
        step = next(steps)
        while True:
            try:
                done = await do(step)
            except OpenFeatureError as error:
                step = steps.throw(error)
            else:
                step = steps.send(done)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]
    finally:
        steps.close()


def _failed(default: Any, error: OpenFeatureError) -> FlagResolutionDetails[Any]:
    """The default value, and why it is that."""
    return FlagResolutionDetails(
        default, reason=Reason.ERROR, error_code=error.error_code, error_message=error.error_message
    )


def _broken(default: Any, error: Exception) -> FlagResolutionDetails[Any]:
    """The same for what nobody foresaw, whose words may quote anything."""
    logger.error(
        "An evaluation raised %s: see that its flag key and context are what OpenFeature takes", type(error).__name__
    )
    return _failed(default, GeneralError(f"The evaluation raised {type(error).__name__}"))
