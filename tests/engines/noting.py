"""A decider that notes in which processes it decides, and that may kill one of them, once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any


class Noting:
    """Stands in the place of a BatchDecider, in whatever process an engine takes it to.

    Args:
        decider: What decides.
        folder: Where it notes: files for each process, with a line for each batch, and one for each time it is made.
        kills: Whether the first process to have decided a batch is killed before it can say so.
    """

    def __init__(self, decider: Any, folder: Path, kills: bool = False) -> None:
        self.schema = decider.schema
        self.check = decider.check
        self._decider, self._folder, self._kills = decider, folder, kills

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with (self._folder / f"{os.getpid()}.made").open("a") as notes:
            notes.write("1\n")

    def __call__(self, batch: Any, **keywords: Any) -> Any:
        decided = self._decider(batch, **keywords)
        with (self._folder / f"{os.getpid()}.pid").open("a") as notes:
            notes.write(f"{batch.num_rows}\n")
        if self._kills:
            try:
                (self._folder / "killed").touch(exist_ok=False)
            except FileExistsError:
                return decided
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)
        return decided
