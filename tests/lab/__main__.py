import sys
from tests.lab import lab, container
import json
v=sys.argv[1]
if v=="up": lab.up()
if v=="down": lab.down()
if v=="status": print(json.dumps(lab.status(),indent=1))
