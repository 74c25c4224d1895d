"""The section of a pool: where instances are bought, with which secrets, and the document that each of them gets.

It reads the file that `user_data` names, with the settings; and the secret files, when it is asked for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from burstd.errors import InvalidSettings
from burstd.model.content import PRIVATE_PLACE, PUBLIC_PLACE
from burstd.model.cost import Billing
from burstd.model.policy import PoolPolicy
from burstd.settings import values as v
from burstd.settings.section import Section
from burstd.settings.templates import SUFFIX, render
from burstd.settings.values import key

if TYPE_CHECKING:
    from pydantic import Secret

_POOL = PoolPolicy(name="", image="", size="")

TEMPLATE_VARIABLES: Final = ("image", "size", "location", "tags", "port", "check_path", "metrics_port")
"""Keys of a pool that its template may use beside the names of fleet and pool. Never the owner id, which proves an instance ours."""


class PoolSettings(Section):
    """One place to get instances from, one table each; they are tried in the order of the file."""

    name: v.PoolName = key(..., "Your name for it.", example="dublin")
    driver: v.Text = key(..., "The libcloud driver, by libcloud's own name for it.", example="ec2")
    image: v.Text = key(..., "Id of the image to start from, at this cloud.", example="ami-0a1b2c3d4e5f67890")
    size: v.Text = key(..., "Id of the machine type, at this cloud.", example="t3.small")
    location: v.OptionalText = key(_POOL.location, "Zone to start in; where it is not given, the cloud chooses.", example="eu-west-1a")
    country: v.OptionalCountry = key(_POOL.country, "Country in which it is; needed where fleet.countries is set.", example="IE")
    networks: v.Names = key((), "Networks of every instance, by this cloud's ids or names (docs/clouds.md).", example=["subnet-0a1b2c3d"])
    keypair: v.OptionalText = key(
        None, "Key that may log in to every instance: its name, its id or the public key itself (docs/clouds.md).", example="burst"
    )
    security_groups: v.Names = key(
        (), "Firewalls around every instance, by this cloud's ids or names (docs/clouds.md).", example=["sg-0a1b2c3d"]
    )
    args: v.SecretTable = key(
        {}, "Arguments of the driver, by its own names; never shown.", example={"region": "eu-west-1", "signature_version": "4"}, shown=True
    )
    secret_files: v.SecretFiles = key(
        {},
        "More arguments of the driver, each read from a file at start, at a reload, and when the cloud refuses them; never shown.",
        example={"key": "/run/credentials/burstd.service/ec2-key", "secret": "/run/credentials/burstd.service/ec2-secret"},
        shown=True,
    )
    api_host: v.OptionalHost = key(None, "Host of the cloud's API, where it is not the driver's own.", example="ec2.oslo.example.com")
    api_port: v.OptionalPort = key(None, "Port of the cloud's API; 0: the driver's own.", example=8773, ge=1, le=v.GREATEST_PORT)
    api_tls: bool = key(default=True, meaning="Speak TLS to api_host; without it, secrets and user-data can be read on the way.")
    proxy: v.Proxy = key(
        None, "HTTP proxy by which the cloud's API is reached, with its login; never shown.", example="http://proxy.oslo.example.com:3128"
    )
    proxy_file: v.SecretFile = key(
        None,
        "The same, read from a file at start, at a reload, and when the cloud refuses us; never shown.",
        example="/run/credentials/burstd.service/proxy",
    )
    list_deadline: v.Seconds = key(10.0, "A listing that takes longer says nothing.", gt=0)
    create_deadline: v.Seconds = key(60.0, "After it, a create that is not answered may or may not have made an instance.", gt=0)
    destroy_deadline: v.Seconds = key(60.0, "After it, a destroy that is not answered is tried again.", gt=0)
    create: v.SecretTable = key(
        {}, "Further arguments of the driver's create_node, as they are; never shown.", example={"ex_assign_public_ip": True}
    )
    tags: v.Tags = key({}, "Tags of every instance, beside burstd's own.", example={"team": "web"})
    user_data: v.OptionalDocument = key(
        None,
        "File with the cloud-init document that every instance gets; a Jinja template where its name ends in .j2.",
        example="/etc/burstd/cloud-init.yaml",
    )
    port: v.Port = key(_POOL.port, "The instances' web port.", ge=1, le=v.GREATEST_PORT)
    check_path: v.CheckPath = key(_POOL.check_path, "Must answer 200 before an instance joins.")
    metrics_port: v.OptionalPort = key(_POOL.metrics_port, "The instances' node_exporter; 0: not read.", ge=1, le=v.GREATEST_PORT)
    max_rtt: v.OptionalSeconds = key(
        _POOL.max_rtt,
        "An instance joins only where a TCP connection to its web port is made within this time; 0: not measured.",
        example="50ms",
        gt=0,
    )
    price: v.Price = key(_POOL.price, "What one instance costs for one hour; 0: unknown.", example=0.0228, gt=0)
    currency: v.Currency = key(_POOL.currency, "Currency of the price.", example="EUR")
    billing: Billing = key(
        _POOL.billing,
        "The unit that the cloud bills by: each that has begun is paid. By the hour, instances are given back before the next.",
    )

    def driver_arguments(self) -> dict[str, Any]:
        """The driver's arguments with their secrets, read from their files now; handle the answer as a secret.

        Raises:
            InvalidSettings: files that cannot be read, one line each.
        """
        arguments = {name: value.get_secret_value() for name, value in self.args.items()}
        problems: list[str] = []
        for name, file in self.secret_files.items():
            try:
                arguments[name] = self._secret(f"secret_files.{name}", file)
            except InvalidSettings as error:
                problems.extend(error.problems)
        if problems:
            raise InvalidSettings(problems)
        return arguments

    def proxy_url(self) -> str | None:
        """The proxy with its login, read from its file now; handle the answer as a secret.

        Raises:
            InvalidSettings: the file cannot be read, or holds no such URL.
        """
        if self.proxy_file is None:
            return self.proxy.get_secret_value() if self.proxy else None
        try:
            return v.proxy_url(self._secret("proxy_file", self.proxy_file))
        except ValueError:
            raise InvalidSettings([f'pool "{self.name}", proxy_file: expected {v.A_PROXY}; mend the file']) from None

    def create_arguments(self) -> dict[str, Any]:
        """Further arguments of the driver's create_node; handle the answer as a secret."""
        return {name: value.get_secret_value() for name, value in self.create.items()}

    def _secret(self, name: str, file: Secret[Path]) -> str:
        try:
            return file.get_secret_value().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            # Neither the path nor the cause is told: a secret that was pasted in place of its path would show.
            said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            line = (
                f'pool "{self.name}", {name}: expected the path of a readable file, the system says: {said}; '
                f"name the file there, and let burstd's user read it"
            )
        raise InvalidSettings([line])

    def document(self, fleet: str, *, keyed: bool) -> str | None:
        """The text of `user_data`, for the fleet of that name: rendered where it is a template; handle the answer as a secret.

        Where it is `keyed` a template also knows the ssh host key, of which the places are left open: each instance gets its own.

        Raises:
            Unrenderable: the template is wrong; `load` has told so already.
        """
        document = self.user_data
        if document is None:
            return None
        if document.path.suffix != SUFFIX:
            return document.text
        variables = {name: getattr(self, name) for name in TEMPLATE_VARIABLES}
        keys = {"host_key_private": PRIVATE_PLACE, "host_key_public": PUBLIC_PLACE} if keyed else {}
        return render(document.text, {"fleet": fleet, "pool": self.name, **variables, **keys})
