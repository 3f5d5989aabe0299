const store = "file:notes.hearth";
// @sample@
