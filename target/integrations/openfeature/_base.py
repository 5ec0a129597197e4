"""What both providers are: the way from a flag key to its details, but for the call between."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from threading import get_ident
from typing import Any, Unpack

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagType
from openfeature.hook import Hook
from openfeature.provider import Metadata
from openfeature.track import TrackingEventDetails

from target import AsyncTargetClient, TargetClient, TargetDeliveryResponse, TargetError
from target.integrations.openfeature._answers import Answer, Answers, Pending, Shared
from target.integrations.openfeature._contexts import Asking, read_context
from target.integrations.openfeature._evaluating import (
    Evaluation,
    Step,
    Steps,
    broken,
    calling,
    cancelled,
    failed,
    is_in,
    refuse_within_call,
    run,
    run_async,
)
from target.integrations.openfeature._failures import failure_of, is_shared
from target.integrations.openfeature._flag_keys import candidates
from target.integrations.openfeature._readiness import Readiness
from target.integrations.openfeature._reading import read_flag
from target.integrations.openfeature._resolvers import Resolvers
from target.integrations.openfeature._settings import ProviderOptions, logger, parse_settings
from target.integrations.openfeature._tracking import Event, Saying, not_tracked, read_event, tell_event

NAME = "Adobe Target"
NO_RULES = "There are no rules yet to decide by: the client's log says why"


class BaseProvider(Resolvers):
    """The part of a provider that asks nobody."""

    def __init__(self, client: TargetClient | AsyncTargetClient, **options: Unpack[ProviderOptions]) -> None:
        super().__init__()
        self._any_client: TargetClient | AsyncTargetClient = client
        self._settings = parse_settings(options)
        self._answers = Answers(self._settings.max_age_s)
        self._readiness = Readiness(client, self.emit)
        if self._settings.mboxes is None and client.status().method == "hybrid":
            logger.warning(
                "A provider of a hybrid client was not told its mboxes: of a key with dots the server is asked for all "
                "that it may mean, since the rules do not know it. Name them: mboxes=[...]"
            )

    def get_metadata(self) -> Metadata:
        """The provider's name."""
        return Metadata(NAME)

    def get_provider_hooks(self) -> list[Hook]:
        """The hooks that the provider was made with."""
        return list(self._settings.hooks)

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Tell Target, aside, what a visitor did: a click on an mbox, or that it was seen; a value is an order's total.

        Never raises: what cannot be told is logged.
        """
        try:
            event = read_event(tracking_event_name, tracking_event_details)
            asking = read_context(evaluation_context, self._settings)
            self._tell(self._saying(event, asking))
        except OpenFeatureError as error:
            not_tracked(tracking_event_name, error.error_message)
        except Exception as error:  # noqa: BLE001  (as evaluations, it never raises)
            not_tracked(tracking_event_name, error if type(error) is ValueError else type(error).__name__)

    def _saying(self, event: Event, asking: Asking) -> Saying:
        try:
            names = candidates(event.key, self._settings.known)
        except OpenFeatureError:
            names = ()
        shared = self._answers.of_now(asking.mark)
        latest = None if shared is None else shared.latest
        answers = {} if shared is None else shared.known(names)
        result = next((answer.result for name, answer in answers.items() if answer.result.options(name)), None)
        ask = self._options(asking, names, latest, "prefetch") if names else None
        return tell_event(event, names, asking, result, ask, self._any_client.outbox is not None)

    def _begin(self, key: str, kind: FlagType, default: Any, context: EvaluationContext | None) -> Evaluation:
        """Raises OpenFeatureError."""
        names = candidates(key, self._settings.known)
        asking = read_context(context, self._settings)
        return Evaluation(key, kind, default, names, asking, self._answers.of_now(asking.mark))

    def _steps(self, evaluation: Evaluation, is_awaited: bool) -> Steps:
        """Gather the answers to read the flag from, and say whether other evaluations had asked for all of them: what
        to do on the way is yielded. Raises OpenFeatureError."""
        shared, names = evaluation.shared, evaluation.names
        if shared is None:
            return (yield from self._ask_alone(evaluation))
        self._answers.learn(names)
        is_cached = True
        while (found := self._found(evaluation, shared)) is None:
            turn = shared.begin(names)
            if turn is True:
                is_cached = False
                yield from self._ask(evaluation, shared)
            elif turn and not is_awaited and turn.asked_by == get_ident():
                return (yield from self._ask_alone(evaluation))  # what it would wait for cannot go on meanwhile
            elif turn:
                yield turn
        return found, is_cached

    def _ask_alone(self, evaluation: Evaluation) -> Steps:
        """Make one call for this evaluation."""
        answer: Answer = yield self._options(evaluation.asking, evaluation.names, None)
        return dict.fromkeys(evaluation.names, answer), False

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
        is_enough = len(found) == len(evaluation.names) or (found and is_in(evaluation, found))
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

    @abstractmethod
    def _tell(self, saying: Saying) -> None:
        """Make these calls, aside."""

    def _resolve(
        self, kind: FlagType, key: str, default: Any, context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        try:
            evaluation = self._begin(key, kind, default, context)
            return self._read(evaluation, *run(self._steps(evaluation, False), self._do))
        except OpenFeatureError as error:
            return failed(default, error)
        except Exception as error:  # noqa: BLE001  (an evaluation never raises)
            return broken(default, error)

    async def _resolve_async(
        self, kind: FlagType, key: str, default: Any, context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        try:
            evaluation = self._begin(key, kind, default, context)
            return self._read(evaluation, *await run_async(self._steps(evaluation, True), self._do_async))
        except asyncio.CancelledError as error:
            return cancelled(default, error)
        except OpenFeatureError as error:
            return failed(default, error)
        except Exception as error:  # noqa: BLE001
            return broken(default, error)

    def _do(self, step: Step) -> Answer | None:
        """Do what an evaluation needs on its way. Raises OpenFeatureError."""
        if isinstance(step, Pending):
            refuse_within_call(self)
            step.result()
        if not isinstance(step, dict):
            return None
        try:
            with calling(self):
                return self._answer(self._call(step))
        except TargetError as error:
            failure = failure_of(error)
        raise failure

    async def _do_async(self, step: Step) -> Answer | None:
        """The same, awaited."""
        if isinstance(step, Pending):
            refuse_within_call(self)
            await asyncio.wrap_future(step)
        if step is None:
            await asyncio.sleep(0)
        if not isinstance(step, dict):
            return None
        try:
            with calling(self):
                return self._answer(await self._call_async(step))
        except TargetError as error:
            failure = failure_of(error)
        raise failure

    def _options(
        self, asking: Asking, names: Sequence[str], after: Answer | None, exposure: str | None = None
    ) -> dict[str, Any]:
        """Options of the call for these mboxes; of one that follows another, as the visitor of that."""
        mboxes = [{"name": name, **asking.mbox} for name in names]
        request = {**asking.request, exposure or self._settings.exposure: {"mboxes": mboxes}}
        options = {**asking.options, "request": request}
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
