"""Owns all that one emulator serves and remembers: offers, rules, visitors, counts, forced experiences, the clock.

Safe to share between threads. What is asked is answered under a lock, which takes well under a millisecond.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import RLock
from typing import Any
from uuid import uuid4

from target.decisioning.catalogue import list_activities
from target.decisioning.decide import Decision, decide
from target.decisioning.experiences import Standing, standing_of
from target.decisioning.explain import explain
from target.decisioning.explanation import Explanation
from target.emulator.answers import Wire, answer, known_tokens
from target.emulator.completed import FindPlace, complete
from target.emulator.counted import count_activities, index_tokens
from target.emulator.decided import join
from target.emulator.forced import Forced, Forcing, names_of, parse_forced, previewed_by, wanted_of
from target.emulator.offers import Offers
from target.emulator.rules import Rules, only_forced, rules_of
from target.emulator.tally import ActivityCount, Tally
from target.emulator.visitors import Visitor, Visitors

_STATE_VERSION = 1


class Stage:
    """What an emulator serves and remembers.

    Args:
        offers: What rules leave to the server; by default nothing.
        rules: What to decide by; by default none, so that offers answer everything.
        client: The client code, which is part of what allocates visitors; by default the one that the rules name, else
            the one of the offers.
        cluster: The edge cluster that answers name, such as ``38``: SDKs go there with their next call. By default the
            one of the offers, which name none.
        now_s: The time, in epoch seconds.
        find_place: Where an IP address is.
    """

    def __init__(
        self,
        offers: Offers | None = None,
        rules: Rules | None = None,
        *,
        client: str | None = None,
        cluster: str | None = None,
        now_s: Callable[[], float] = time.time,
        find_place: FindPlace = lambda _: {},
    ) -> None:
        self._lock = RLock()
        self._client, self._cluster, self._clock, self._find_place = client, cluster, now_s, find_place
        self._frozen_s: float | None = None
        self._visitors, self._tally = Visitors(), Tally()
        self._given_rules = rules
        self._forcing = Forcing(rules_of(Offers()))
        self.use_offers(offers or Offers())

    def use_offers(self, offers: Offers) -> None:
        """Serve these offers from now on."""
        with self._lock:
            if self._cluster is not None:
                offers = offers.in_cluster(self._cluster)
            self.offers = offers
            self._offer_tokens = known_tokens(offers)
            self.use_rules(self._given_rules)

    def use_rules(self, rules: Rules | None) -> None:
        """Decide by these rules from now on; None: by none. What is forced and no longer there is no longer forced."""
        with self._lock:
            self._given_rules = rules
            self.rules = rules_of(self.offers) if rules is None else rules
            self._activities = list_activities(self.rules.artifact)
            self._tokens = index_tokens(self.rules.artifact)
            self._forcing = Forcing(self.rules, self._forcing.forced)
            experiences = {Standing(each.id, one.id): one for each in self._activities for one in each.experiences}
            self._places = {each: _middle(one.shares[0]) for each, one in experiences.items() if one.shares}

    @property
    def client(self) -> str:
        """The client code."""
        return self._client or (self._given_rules and self._given_rules.client) or self.offers.client

    @property
    def published(self) -> Rules:
        """The rules for those who decide by themselves: with what is forced for everybody."""
        with self._lock:
            return self._forcing.for_everybody()

    def now_s(self) -> float:
        """The time that decisions are made at, in epoch seconds."""
        return self._clock() if self._frozen_s is None else self._frozen_s

    @property
    def is_clock_set(self) -> bool:
        """Whether the time stands still because it was set."""
        return self._frozen_s is not None

    def set_clock(self, at_s: float | None) -> None:
        """Decide as at this moment, in epoch seconds, until it is set anew; None: the real time."""
        self._frozen_s = at_s

    def answer(self, body: Wire, *, session_id: str, request_id: str, address: str | None = None) -> Wire:
        """The response to ``body``, a valid request, in wire form. What execute shows is counted.

        Args:
            body: The request.
            session_id: Names a visitor who has no id.
            request_id: Where the request has none.
            address: The visitor's IP address, where the request says of no place.
        """
        with self._lock:
            visitor = self._visitors.find(body.get("id") or {}, session_id)
            body = complete(body, visitor.tnt_id, address, self._find_place)
            rules = self._rules_for(body, visitor)
            decision = self._decide(body, rules, visitor, self.now_s())
            if body.get("qaMode") is None:
                self._remember(body, visitor, decision)
            return self._joined(body, rules, visitor, decision, session_id, request_id)

    def try_out(self, body: Wire, *, session_id: str, at_s: float | None = None) -> tuple[Wire, Explanation]:
        """What ``answer`` would say, and why. Nothing is counted, and nothing new remembered.

        Args:
            body: The request.
            session_id: Names a visitor who has no id.
            at_s: When, in epoch seconds; by default ``now_s``.
        """
        with self._lock:
            visitor = self._visitors.look_up(body.get("id") or {}, session_id)
            body = complete(body, visitor.tnt_id, None, self._find_place)
            rules = self._rules_for(body, visitor)
            at_s = self.now_s() if at_s is None else at_s
            decision = self._decide(body, rules, visitor, at_s)
            explanation = explain(body, rules.artifact, **self._circumstances(visitor, at_s))
            return self._joined(body, rules, visitor, decision, session_id, "tried"), explanation

    def notified(self, notification: Wire, *, session_id: str, body: Wire) -> dict[str, Any]:
        """Count what a notification of a valid request tells; what it was of.

        Returns:
            ``known``: whether it has tokens, all of which these offers or rules give out for its type.
            ``activities``: for each experience that it tells of, ``{"activity": id, "experience": id}``.
        """
        kind, tokens = notification["type"], notification.get("tokens") or []
        with self._lock:
            own = self._tokens.shown if kind == "display" else self._tokens.clicked
            known = bool(tokens) and all(token in own or token in self._offer_tokens[kind] for token in tokens)
            impression_id = notification.get("impressionId") or notification.get("id")
            visitor = self._visitors.find(body.get("id") or {}, session_id)
            told = []
            for token in tokens:
                if kind == "display" and token in self._tokens.shown:
                    told.append(self._tokens.shown[token])
                    self._tally.show(visitor, told[-1], impression_id)
                elif kind == "click" and (standing := self._clicked(token, visitor)):
                    told.append(standing)
                    self._tally.convert(visitor, standing, impression_id, token)
        return {"known": known, "activities": [each._asdict() for each in told]}

    def force(
        self, experience: str, *, mbox: str | None = None, activity: str | None = None, visitor: str | None = None
    ) -> None:
        """Show an experience, whatever audiences and shares say, until it is released.

        Args:
            experience: Its id or name.
            mbox: At this mbox alone; by default wherever its activity is.
            activity: The activity's id or name, where several have such an experience.
            visitor: For this visitor alone: a tntId, thirdPartyId or ECID. By default for everybody, on devices too,
                from when they fetch the rules the next time.

        Raises:
            ValueError: The rules have no such experience there, or several; the message says which there are.
        """
        with self._lock:
            forced = parse_forced(self.rules.artifact, experience, mbox, activity, visitor)
            self._forcing.force(forced)

    def release(self, *, mbox: str | None = None, activity: str | None = None, visitor: str | None = None) -> None:
        """Force no longer what was forced: at this mbox, of this activity, for this visitor; everything by default."""
        with self._lock:
            self._forcing.release(mbox=mbox, activity=activity, visitor=visitor)

    @property
    def forced(self) -> list[Forced]:
        """What is forced, what counts first ahead."""
        return list(self._forcing.forced)

    def counts(self) -> list[ActivityCount]:
        """What was counted, by activity and experience, those that nobody has seen included."""
        with self._lock:
            return count_activities(self._activities, self._tally)

    def reset(self) -> None:
        """Forget visitors, counts, what is forced, and the time that was set."""
        with self._lock:
            self._visitors.clear()
            self._tally.clear()
            self._forcing.release()
            self._frozen_s = None

    def to_dict(self) -> dict[str, Any]:
        """What it remembers, as JSON; for ``restore``."""
        with self._lock:
            forced = [[*each.standing, each.mbox, each.visitor] for each in self._forcing.forced]
            return {
                "version": _STATE_VERSION,
                **self._visitors.to_dict(),
                **self._tally.to_dict(),
                "forced": forced,
                "clock": self._frozen_s,
            }

    def restore(self, data: Any) -> None:
        """Remember what ``to_dict`` gave instead of what is remembered now.

        Raises:
            ValueError: It is no such state; nothing has changed.
        """
        try:
            if data["version"] != _STATE_VERSION:
                raise ValueError(f"version {data['version']!r} is not {_STATE_VERSION}")
            visitors, tally = Visitors(), Tally()
            visitors.restore(data)
            tally.restore(data)
            forced = [Forced(Standing(*each[:2]), *each[2:]) for each in data["forced"]]
            clock = None if data["clock"] is None else float(data["clock"])
        except (AttributeError, KeyError, TypeError, ValueError) as cause:
            raise ValueError(f"is no state of an emulator ({type(cause).__name__}: {cause})") from cause
        with self._lock:
            self._visitors, self._tally, self._frozen_s = visitors, tally, clock
            self._forcing = Forcing(self.rules, forced)

    def _rules_for(self, body: Wire, visitor: Visitor) -> Rules:
        link = body.get("qaMode") or {}
        previewed = previewed_by(link, self._activities)
        if previewed and link.get("listedActivitiesOnly"):
            return only_forced(self.rules, wanted_of(previewed))
        return self._forcing.for_visitor(names_of(body["id"], visitor.tnt_id), previewed)

    def _decide(self, body: Wire, rules: Rules, visitor: Visitor, at_s: float) -> Decision:
        return decide(body, rules.artifact, **self._circumstances(visitor, at_s))

    def _circumstances(self, visitor: Visitor, at_s: float) -> dict[str, Any]:
        """What decisions are made with, besides request and rules."""
        places = self._kept_places(visitor)
        return {"client": self.client, "now_s": at_s, "new_id": lambda: uuid4().hex, "allocations": places}

    def _joined(
        self, body: Wire, rules: Rules, visitor: Visitor, decision: Decision, session_id: str, request_id: str
    ) -> Wire:
        ids = {**body["id"], "tntId": body["id"].get("tntId") or visitor.tnt_id}
        offered = answer({**body, "id": ids}, self.offers, session_id=session_id, request_id=request_id)
        offered["client"] = self.client
        tokens = frozenset(filter(_is_text, rules.data.get("responseTokens") or ()))
        return join(body, offered, decision, rules.artifact.global_mbox, tokens)

    def _kept_places(self, visitor: Visitor) -> dict[str, float]:
        """Where the visitor is to stand in activities, so that the rules give the experiences to stay in."""
        stays = (Standing(*each) for each in visitor.stays.items())
        return {each.activity: self._places[each] for each in stays if each in self._places}

    def _remember(self, body: Wire, visitor: Visitor, decision: Decision) -> None:
        for _, _, _, rule in decision.shown:
            if rule.has_share:
                visitor.stays.update([standing_of(rule)])
        # Once for a request, however many offers of an experience it shows.
        for standing in dict.fromkeys(standing_of(rule) for mode, _, _, rule in decision.shown if mode == "execute"):
            self._tally.show(visitor, standing, body.get("impressionId"))

    def _clicked(self, token: str, visitor: Visitor) -> Standing | None:
        """The experience of a click metric in which the visitor is."""
        standings = self._tokens.clicked.get(token, ())
        for standing in standings:
            if standing in visitor.shown or visitor.stays.get(standing.activity) == standing.experience:
                return standing
        return standings[0] if len(standings) == 1 else None


def _middle(share: tuple[float, float]) -> float:
    least, most = share
    return (least + most) / 2


def _is_text(value: object) -> bool:
    return isinstance(value, str)
