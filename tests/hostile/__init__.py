"""Files and requests that want to take the server's memory, run code, read its files, or break what reads them."""
