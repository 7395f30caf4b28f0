"""The operations of download links and of the audit trail, for the OpenAPI document."""

from __future__ import annotations

from .operation import ANY, JSON, OF_FILE, PARTS, Operation, query
from .schemas import json_object, ref

SHARING: tuple[Operation, ...] = (
    Operation(
        "get",
        "jobs/{id}/links",
        "listLinks",
        "The download links of a job, the newest first; what opens them is told once, when they "
        "are made.",
        {
            200: (
                "The links.",
                JSON,
                json_object("links", {"links": {"type": "array", "items": ref("Link")}}),
            )
        },
        (404,),
    ),
    Operation(
        "post",
        "jobs/{id}/links",
        "createLink",
        "Make a link to the finished file, for somebody without a login.",
        {201: ("The link, and what opens it.", JSON, ref("NewLink"))},
        (400, 404, 409, 410, 413, 503),
        body=(JSON, ref("LinkRequest")),
        body_required=False,
    ),
    Operation(
        "delete",
        "links/{id}",
        "revokeLink",
        "End a link at once.",
        {204: ("It opens nothing any more.", None, {})},
        (404, 503),
    ),
    Operation(
        "get",
        "d/{token}",
        "openLink",
        "The file of a link, for whoever has it. One with “max_downloads” is sent whole only.",
        {
            200: ("The file, as the media type of its format.", ANY, {}),
            206: ("The part that “Range” asks for.", ANY, {}),
            304: ("“If-None-Match” names the file.", None, {}),
        },
        (404, 410, 416, 503),
        PARTS,
        headers={200: OF_FILE, 206: (*OF_FILE, "Content-Range"), 304: ("ETag",)},
        login=False,
    ),
    Operation(
        "head",
        "d/{token}",
        "describeLink",
        "The headers of the file of a link; that is no download.",
        {200: ("Its headers.", None, {}), 304: ("“If-None-Match” names the file.", None, {})},
        (404, 410),
        headers={200: OF_FILE, 304: ("ETag",)},
        login=False,
    ),
    Operation(
        "get",
        "audit",
        "listAudit",
        "The audit trail, the newest entry first; for administrators.",
        {200: ("One page.", JSON, ref("AuditPage"))},
        (400, 503),
        (
            query("since", "Only entries from this time on.", type="string"),
            query("until", "Only entries before this time.", type="string"),
            query("actor", "Only what this user did.", type="string"),
            query("action", "Only entries of this action.", type="string"),
            query("subject", "Only entries about this job, link, …", type="string"),
            query("limit", "Entries on a page.", type="integer", minimum=1, maximum=500),
            query("cursor", "“next_cursor” of the page before.", type="string"),
        ),
    ),
    Operation(
        "post",
        "audit/uploads",
        "exportAudit",
        "Put the audit trail into an upload, to name it as the source of a spec; for "
        "administrators.",
        {201: ("The upload.", JSON, ref("Upload"))},
        (400, 413, 429, 503, 507),
        body=(JSON, ref("AuditFilters")),
        body_required=False,
    ),
)
