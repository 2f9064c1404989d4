"""Has the code that is generated for Swift read numbers and bytes in one copy: `swift_quicken.py FILE`.

As it is generated it goes through Foundation's collections for each number, unspecialised: a received message then costs twice
as much (docs/explain/speed-swift.md). Fails if the generator has changed what it writes.
"""

import sys
from pathlib import Path

READ_INT = """\
    let _ = withUnsafeMutableBytes(of: &value, { reader.data.copyBytes(to: $0, from: range)})
"""
QUICK_INT = """\
    withUnsafeMutableBytes(of: &value) { value in
        reader.data.withUnsafeBytes { value.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
"""
READ_BYTES = """\
    var value = [UInt8](repeating: 0, count: count)
    value.withUnsafeMutableBufferPointer({ buffer in
        reader.data.copyBytes(to: buffer, from: range)
    })
"""
QUICK_BYTES = """\
    let value = reader.data.withUnsafeBytes { [UInt8](UnsafeRawBufferPointer(rebasing: $0[range])) }
"""


def main(file: Path) -> None:
    code = file.read_text()
    for slow, quick in ((READ_INT, QUICK_INT), (READ_BYTES, QUICK_BYTES)):
        if code.count(slow) != 1:
            sys.exit(f"{file}: the generator reads otherwise than expected, no longer:\n{slow}")
        code = code.replace(slow, quick)
    file.write_text(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
