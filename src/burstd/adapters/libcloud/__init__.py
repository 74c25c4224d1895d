"""The clouds, through apache-libcloud, which is imported on first use only: it takes a tenth of a second.

`LibcloudCloud` is the port, `CloudPool` a pool as it sees it, `probe` what `burstd check` asks of one, `caution` what it warns of,
`endpoint` where one's API answers, `survey` what `burstd adopt` and `burstd fleet` see of all.
"""

from __future__ import annotations

from burstd.adapters.libcloud.cloud import LibcloudCloud, forbid_blind_retries
from burstd.adapters.libcloud.endpoint import endpoint
from burstd.adapters.libcloud.pool import CloudPool
from burstd.adapters.libcloud.probe import Problem, caution, probe
from burstd.adapters.libcloud.survey import survey

__all__ = ["CloudPool", "LibcloudCloud", "Problem", "caution", "endpoint", "forbid_blind_retries", "probe", "survey"]
