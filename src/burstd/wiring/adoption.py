"""The steps of `burstd adopt`: hold the state folder, list every pool, and, once somebody agrees, write the new roster in one go.

It changes no cloud and no HAProxy: the next start of the daemon works with what is written here.
"""

from __future__ import annotations

from burstd.adapters.clock import SystemClock
from burstd.adapters.libcloud import forbid_blind_retries, survey
from burstd.adapters.local import register
from burstd.adapters.sqlite import SqliteRoster
from burstd.errors import Misconfigured, Retry
from burstd.model.event import Event
from burstd.model.faults import Fault
from burstd.plan.adoption import Adoption, adopt
from burstd.plan.residency import outside
from burstd.settings import Settings
from burstd.wiring import cloud_pools


class Takeover:
    """One adoption between the look and the writing; it keeps a daemon out.

    Attributes:
        lost: there is no roster, and taking over begins a new one, even where there is no machine.
        set_aside: name of the damaged file that was moved out of the way just now; empty where there was none.
        owner: whose machines these are.
        adoption: what would be taken over.
    """

    def __init__(self, settings: Settings) -> None:
        """Take the state folder and list every pool.

        Raises:
            AlreadyRunning: a daemon holds the state folder.
            AskOperator: no fleet was lost here, a secret cannot be read, or a machine of ours bears a strange name or is in a country
                where none may be.
            Retry: a pool cannot be listed; nothing is written.
        """
        forbid_blind_retries()
        register()
        self._roster = SqliteRoster(settings.fleet.state_dir, adopting=True)
        try:
            self.owner = self._roster.owner()
            self.lost = self._roster.lost
            self.set_aside = self._roster.set_aside.name if self._roster.set_aside else ""
            self._clock = SystemClock()
            self.adoption = self._look(settings)
        except BaseException:
            self._roster.close()
            raise

    def _look(self, settings: Settings) -> Adoption:
        shown = survey(cloud_pools(settings), self.owner)
        faults = [str(each) for each in shown.values() if isinstance(each, Fault)]
        if faults:
            raise Retry(f"{'; '.join(faults)}; nothing is taken over before every pool can be listed")
        nodes = [node for each in shown.values() if not isinstance(each, Fault) for node in each]
        known = {each.operation for each in self._roster.fleet()} | set(self._roster.ended())
        policy = settings.policy(self.owner)
        adoption = adopt(nodes, policy, known, self._clock.now())
        if adoption.abroad:
            names = ", ".join(f"{each.name} ({each.id})" for each in adoption.abroad)
            why = "; ".join(dict.fromkeys(outside(policy, each.pool) for each in adoption.abroad))
            raise Misconfigured(f"{why}: expected none of our machines there, found {names}; destroy them by hand, or add the country")
        if adoption.misnamed:
            names = ", ".join(f"{each.name} ({each.id})" for each in adoption.misnamed)
            given = f'fleet.name = "{settings.fleet.name}"'
            raise Misconfigured(f"{given}: expected the name under which these machines of ours were made: {names}; set that one")
        return adoption

    def take_over(self) -> str:
        """Write it all, or nothing; the sentence that tells of it."""
        count = len(self.adoption.instances)
        damage = f", after a damaged roster was set aside as {self.set_aside}" if self.set_aside else ""
        how = " into a new roster under the old owner" if self.lost else ""
        told = f"took {count} {'machine' if count == 1 else 'machines'} over{how}{damage}"
        self._roster.adopt(self.adoption.instances, Event(self._clock.now(), "daemon", "", told))
        return told

    def close(self) -> None:
        """Let go of the state folder."""
        self._roster.close()
