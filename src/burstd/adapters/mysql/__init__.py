"""MariaDB and MySQL as the `Database` port: the only door to them.

`words` holds the dialects, `reading` the parsing, `server` the connections and the library, `database` the port, `probe` what
`burstd check` asks.
"""

from burstd.adapters.mysql.database import MysqlDatabase
from burstd.adapters.mysql.probe import probe
from burstd.adapters.mysql.server import Host, Login

__all__ = ["Host", "Login", "MysqlDatabase", "probe"]
