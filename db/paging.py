"""Lists that are shown page by page."""

from typing import ClassVar

PAGE_SIZE = 25
"""Rows of a page, unless a list says otherwise."""


def count_pages(total: int, size: int = PAGE_SIZE) -> int:
    """Number of pages that hold so many rows, at least one."""
    return max(1, -(-total // size))


class Paged:
    """One page of a list; the class of each list adds its rows and, in `total`, how many match in all."""

    __slots__ = ()

    page_size: ClassVar[int] = PAGE_SIZE
    total: int

    @property
    def pages(self) -> int:
        """Number of pages, at least one."""
        return count_pages(self.total, self.page_size)
