"""Tables of defaults show the defaults: every row that names a field of a profile is compared with the code."""

from pathlib import Path

from . import code
from .markdown import Document
from .report import Report


def check(root: Path, documents: list[Document], report: Report) -> None:
    """Compares each row under a heading of profile names."""
    profiles = code.profiles(root)
    heads = list(profiles)
    fields = set().union(*profiles.values())
    report.expect(len(heads) == 4, f"{code.PROFILE}: four profiles expected, found {heads}")
    compared = set()
    for document in documents:
        columns = None
        for line, row in document.rows:
            if set(heads) <= {cell.strip("`") for cell in row}:
                columns = [cell.strip("`") for cell in row]
            elif columns and len(row) == len(columns) and (field := row[0].strip("`")) in fields:
                for profile, cell in list(zip(columns, row, strict=True))[1:]:
                    wanted = profiles[profile][field]
                    report.expect(cell == wanted, f"{document.path}:{line}: {field} of {profile} is {wanted}, not {cell}")
                compared.add((document.path, field))
    reference = Path("docs/reference/configuration.md")
    for field in sorted(fields):
        report.expect((reference, field) in compared, f"{reference}: the defaults of {field} are missing")
