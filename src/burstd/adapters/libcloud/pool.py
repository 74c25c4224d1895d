"""A pool as libcloud needs it: the driver, how to reach its API, what to buy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CloudPool:
    """One place to get machines from.

    Attributes:
        name: the pool's name in the settings.
        driver: libcloud's name of the provider ("ec2", "local").
        args: the driver's constructor arguments; hold secrets, so they are never shown.
        location: availability zone or the like; None: the cloud chooses.
        create: raw further arguments of every create; never shown either.
        networks: what every machine is connected to, by the cloud's own names or ids; the driver's record says how.
        keypair: the key that may log in, in the same way.
        security_groups: the firewalls around it, in the same way.
        tags: its machines are to bear tags beside burstd's own.
        user_data: its machines are to get user-data.
        proxy: URL of the HTTP proxy by which the API is reached, with the login in it where there is one, so it is never shown; None: as
            libcloud finds it in the environment, or none.
        host: another API endpoint than the driver's own; with `port` and `secure` (TLS), None: as the driver has it.
        list_deadline: seconds by the wall clock after which a listing counts as failed.
        create_deadline: the same for a create, whose outcome is then unknown.
        destroy_deadline: the same for a destroy, which is then tried again.
    """

    name: str
    driver: str
    args: Mapping[str, object] = field(repr=False)
    image: str
    size: str
    location: str | None = None
    create: Mapping[str, object] = field(default_factory=dict, repr=False)
    networks: tuple[str, ...] = ()
    keypair: str | None = None
    security_groups: tuple[str, ...] = ()
    tags: bool = False
    user_data: bool = False
    proxy: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    secure: bool | None = None
    list_deadline: float = 10.0
    create_deadline: float = 60.0
    destroy_deadline: float = 60.0

    @property
    def call_deadline(self) -> float:
        """The longest that a create or a destroy may take, seconds."""
        return max(self.create_deadline, self.destroy_deadline)

    @property
    def peer(self) -> str:
        """The pool as a fault names it."""
        return f"pool {self.name}"
