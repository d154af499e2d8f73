"""``python -m emm1`` is ``emm1``."""

from emm1.cli import main

main()
