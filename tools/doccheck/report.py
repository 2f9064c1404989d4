"""What was checked, what was wrong, and the line at the end."""

import os
import sys


class Report:
    """Counts checks and tells failures as they happen."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        # A check that tries itself on what is wrong counts failures and tells nobody.
        self.quiet = False

    def expect(self, holds: bool, problem: str) -> None:
        """Counts one check; tells the problem if it does not hold."""
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            if not self.quiet:
                print(f"FAILED: {problem}", file=sys.stderr, flush=True)

    def skip(self, what: str) -> None:
        """Tells what this machine cannot check. In CI a skipped check would look like a passed one."""
        if os.environ.get("CI") == "true":
            self.expect(False, f"{what} (CI=true: nothing may be skipped)")
        else:
            print(f"SKIPPED: {what}", file=sys.stderr, flush=True)

    def close(self) -> int:
        """Prints the closing line and gives the exit code."""
        print(f"check-docs: {self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0
