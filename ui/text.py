"""Names of files and items as a terminal may show them."""


def shown(text: str) -> str:
    r"""The text with control codes escaped: a file's name must not move anybody's cursor.

    Example:
        >>> shown("schön.jpg"), shown("a\x1b[2Jb")
        ('schön.jpg', 'a\\x1b[2Jb')
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
