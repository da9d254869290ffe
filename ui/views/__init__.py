"""Views of the page. One view a file; a file without a leading underscore is one."""
