"""Collections over HTTP, for those who build on the engine; see docs/http.md."""
