"""Pages of their own, and files of them.

Takes HTML. Gives a file that loads nothing from elsewhere. Must not know what it shows.
"""

import html
from collections.abc import Callable

from ..errors import InputError, MissingExtraError
from ..support.files import as_path, refuse_other_formats, write_file
from .html import render


def page(title: str, body: str) -> str:
    """Render a page of its own around a fragment."""
    return render("page.html", title=title, body=body)


def notebook_fragment(make: Callable[[], str], text: str) -> str:
    """Return a fragment for a notebook; the text, and why, where nothing can be drawn.

    Args:
        make: Renders the fragment.
        text: What `print` shows.
    """
    try:
        return make()
    except MissingExtraError as error:
        return f"<pre>{html.escape(text)}</pre><i>{html.escape(error.todo)}</i>"
    except InputError as error:  # such as scores that are NaN, or memory that was written into
        return f"<pre>{html.escape(text)}\n{html.escape(str(error))}</pre>"


def write_page(path: object, title: str, make: Callable[[], str], call: str) -> None:
    """Write a fragment as a page.

    Args:
        path: The file, a str or Path.
        title: Of the page.
        make: Renders the fragment, once the path is known to be right.
        call: What the user called with the path, such as "explanation.to_html".

    Raises:
        FileError: It cannot be written.
        InputError: Its name is that of another format.
    """
    file = as_path(path)
    refuse_other_formats(file, (".html", ".htm"), call)
    write_file(file, page(title, make()).encode())
