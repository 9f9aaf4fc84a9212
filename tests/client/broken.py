"""Methods of the client that cannot succeed against any server, the reference server included.

The tests assert what they do instead, and that the same request with what the client left out (or
the same answer, read as what it is) is what the contract says.
"""

NO_BODY = "sends no body, so the server rightly answers 400 and the client returns None"
NOT_AN_INT = "is declared to return an int, finds a Safe_UInt in the answer, and raises"
NOT_JSON = "parses the answer as JSON, which it is not, and raises"

BROKEN = {
    "Cache__Service__Client__Zip.zip_store": NO_BODY,
    "Cache__Service__Client__Zip.zip_retrieve": NOT_JSON + " (an archive)",
    "Cache__Service__Client__Zip.zip_file_add_from_bytes": NO_BODY,
    "Cache__Service__Client__Zip.zip_file_add_from_string": NO_BODY,
    "Cache__Service__Client__Zip.batch_operations": NO_BODY,
    "Cache__Service__Client__Set_Cookie.set_cookie_form": NOT_JSON + " (a page)",
    "Cache__Service__Client__Set_Cookie.set_auth_cookie": NO_BODY,
    "Cache_Client_Test_Helpers.get_namespace_file_count": NOT_AN_INT,
}
