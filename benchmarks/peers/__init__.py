"""Other model servers, installed beside this one and measured beside it, on anybody's machine."""
