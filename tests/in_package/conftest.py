"""The built wheel and source archive: `make package` builds them and sets the folder they are in."""

import os

# without them there is nothing to test: `make test` passes by
collect_ignore_glob = [] if os.environ.get("PREBRUSH_TEST_DIST") else ["test_*"]
