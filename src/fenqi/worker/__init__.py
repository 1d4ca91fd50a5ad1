"""Work that time asks for: the day close, and the duties fenqi takes care of by itself."""
