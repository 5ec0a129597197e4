"""A site: one client, and how its visitors are met; there is one in each process of a web service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from target._background.runtime import system_runtime
from target.calls import Calls
from target.clients import Client
from target.config import ClientConfig
from target.errors import OptionsError
from target.foreign import UNREADABLE, kind_of
from target.web.handles import Handles
from target.web.options import SiteConfig, parse_site_options, split_options

if TYPE_CHECKING:
    from target.aio import AsyncTargetClient
    from target.client import TargetClient

C = TypeVar("C", bound=Client)


class Site(Generic[C]):
    """A client, and how the visitors of a web service are met. Safe to share between threads.

    Args:
        client: The client that calls are made with; whoever made it closes it.
        **options: See ``SiteOptions``.

    Raises:
        OptionsError: An option is unknown or wrong.
    """

    def __init__(self, client: C, **options: Any) -> None:
        self.client = client
        self._config: SiteConfig = parse_site_options(options)
        self._runtime = system_runtime()
        self._signer = self._config.handle_key and Handles(self._config.handle_key, self._config.handle_lifetime_s)

    @staticmethod
    def create(options: Mapping[str, Any]) -> Site[TargetClient]:
        """A site with a client of its own: ``options`` are the client's (ClientOptions) and the site's (SiteOptions).

        Raises:
            OptionsError: One is missing, unknown or wrong.
        """
        from target.client import TargetClient

        of_client, of_site = split_options(options)
        parse_site_options(of_site)  # before there is a client that somebody would have to close
        return Site(TargetClient.create(of_client), **of_site)

    @staticmethod
    async def create_async(options: Mapping[str, Any]) -> Site[AsyncTargetClient]:
        """The same for asyncio, with an AsyncTargetClient of the running event loop."""
        from target.aio import AsyncTargetClient

        of_client, of_site = split_options(options)
        parse_site_options(of_site)
        return Site(await AsyncTargetClient.create(of_client), **of_site)

    @property
    def _client_config(self) -> ClientConfig:
        """The client's options."""
        config: Any = self.client._config
        return config if isinstance(config, ClientConfig) else config.client

    @property
    def _calls(self) -> Calls:
        """What builds the client's calls."""
        return self.client._calls

    @property
    def _handles(self) -> Handles:
        """What makes and reads handles. Raises OptionsError without the option ``handle_key``."""
        if not self._signer:
            raise OptionsError("Handles are signed: give the site a secret of your own as the option 'handle_key'")
        return self._signer

    def _is_allowed(self, source: object) -> bool:
        """Whether the visitor of the framework's request ``source`` consents. Anything but True or False says no."""
        if self._config.consent is None:
            return True
        try:
            said = self._config.consent(source)
        except UNREADABLE as error:
            problem = f"raised {type(error).__name__}"
        else:
            if said is True or said is False:
                return said
            problem = f"returned {kind_of(said)}"
        self._client_config.notices.error_once(
            ("consent", problem), "The option consent %s, not True or False: that counts as refused", problem
        )
        return False
