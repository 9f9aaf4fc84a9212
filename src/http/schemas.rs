//! The schemas of the OpenAPI document: the shapes of what is sent and served.

use serde_json::{Map, Value, json};

use crate::cache::archive::{Action, Condition};
use crate::cache::ident::Strategy;

/// All schemas, by name.
pub(crate) fn all() -> Value {
    let text = json!({"type": "string"});
    let id = json!({"type": "string", "format": "uuid"});
    let hash = json!({"type": "string", "pattern": "^[a-f0-9]{10,96}$"});
    let count = json!({"type": "integer", "minimum": 0});
    let time = json!({"type": "integer", "description": "milliseconds since 1970 UTC"});
    let flag = json!({"type": "boolean"});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let maybe_text = json!({"type": ["string", "null"]});
    let maybe_id = json!({"type": ["string", "null"], "format": "uuid"});
    let kind = json!({"type": "string", "enum": ["json", "binary"]});
    let paths = json!({"$ref": "#/components/schemas/Paths"});
    let metadata = json!({"$ref": "#/components/schemas/EntryMetadata"});
    let schemas = [
        ("Paths", object(&[("data", &texts), ("by_hash", &texts), ("by_id", &texts)])),
        (
            "Stored",
            object(&[
                ("cache_id", &id),
                ("cache_hash", &hash),
                ("namespace", &text),
                ("paths", &paths),
                ("size", &count),
            ]),
        ),
        (
            "EntryMetadata",
            object(&[
                ("cache_id", &maybe_id),
                ("cache_hash", &maybe_text),
                ("cache_key", &maybe_text),
                ("file_id", &maybe_text),
                ("namespace", &maybe_text),
                ("strategy", &maybe_text),
                ("stored_at", &json!({"type": ["integer", "null"]})),
                ("file_type", &kind),
                ("content_encoding", &maybe_text),
                ("content_size", &count),
            ]),
        ),
        (
            "Retrieved",
            json!({"oneOf": [
                object(&[
                    ("data", &json!({})), ("metadata", &metadata),
                    ("data_type", &json!({"type": "string", "enum": ["string", "json"]})),
                ]),
                object(&[
                    ("message", &text), ("data_type", &json!({"type": "string", "const": "binary"})),
                    ("size", &count), ("cache_hash", &hash), ("cache_id", &id), ("namespace", &text),
                    ("binary_url", &text), ("metadata", &metadata),
                ]),
            ]}),
        ),
        (
            "Refs",
            object(&[
                ("all_paths", &paths),
                ("cache_id", &id),
                ("cache_hash", &text),
                ("file_paths", &object(&[("content_files", &texts), ("data_folders", &texts)])),
                ("file_type", &kind),
                ("namespace", &text),
                ("strategy", &text),
                ("timestamp", &time),
            ]),
        ),
        (
            "AllRefs",
            object(&[
                ("by_id", &json!({"$ref": "#/components/schemas/Refs"})),
                ("details", &json!({"type": "object"})),
            ]),
        ),
        (
            "FileConfig",
            object(&[
                ("file_id", &text),
                ("file_key", &text),
                ("file_paths", &texts),
                (
                    "file_type",
                    &object(&[
                        ("name", &kind),
                        ("content_type", &text),
                        ("file_extension", &text),
                        ("encoding", &maybe_text),
                        ("serialization", &text),
                    ]),
                ),
                ("exists_strategy", &text),
            ]),
        ),
        (
            "FileMetadata",
            object(&[
                ("content__hash", &text),
                ("content__size", &count),
                ("chain_hash", &json!({"type": "null"})),
                ("previous_version_path", &json!({"type": "null"})),
                ("tags", &texts),
                ("timestamp", &time),
                ("data", &json!({"$ref": "#/components/schemas/StoredData"})),
            ]),
        ),
        (
            "StoredData",
            object(&[
                ("cache_hash", &maybe_text),
                ("cache_key", &maybe_text),
                ("cache_id", &maybe_id),
                ("content_encoding", &maybe_text),
                ("file_id", &maybe_text),
                ("file_type", &maybe_text),
                ("json_field_path", &maybe_text),
                ("namespace", &maybe_text),
                ("stored_at", &json!({"type": ["integer", "null"]})),
                ("strategy", &maybe_text),
            ]),
        ),
        (
            "HashRef",
            object(&[
                ("cache_hash", &text),
                (
                    "cache_ids",
                    &json!({
                        "type": "array", "items": object(&[("cache_id", &id), ("timestamp", &time)]),
                    }),
                ),
                ("latest_id", &text),
                ("total_versions", &count),
            ]),
        ),
        ("HashId", object(&[("namespace", &text), ("cache_hash", &hash), ("cache_id", &text)])),
        (
            "Exists",
            object(&[
                ("exists", &flag),
                ("cache_id", &maybe_id),
                ("cache_hash", &maybe_text),
                ("namespace", &text),
            ]),
        ),
        (
            "Updated",
            object(&[
                ("cache_id", &id),
                ("cache_hash", &text),
                ("namespace", &text),
                ("paths", &texts),
                ("size", &count),
                ("timestamp", &time),
                ("updated_content", &flag),
                ("updated_hash", &flag),
                ("updated_metadata", &flag),
                ("updated_id_ref", &flag),
            ]),
        ),
        (
            "Deleted",
            json!({"oneOf": [
                object(&[
                    ("status", &json!({"type": "string", "enum": ["success", "partial"]})), ("cache_id", &id),
                    ("deleted_count", &count), ("failed_count", &count), ("deleted_paths", &texts),
                    ("failed_paths", &texts),
                ]),
                object(&[("status", &json!({"type": "string", "const": "not_found"})), ("message", &text)]),
            ]}),
        ),
        (
            "DataStored",
            object(&[
                ("cache_id", &id),
                ("data_files_created", &texts),
                ("data_key", &text),
                ("data_type", &text),
                ("extension", &text),
                ("file_id", &text),
                ("file_size", &count),
                ("namespace", &text),
                ("timestamp", &time),
            ]),
        ),
        (
            "DataUpdated",
            object(&[
                ("success", &flag),
                ("cache_id", &id),
                ("namespace", &text),
                ("data_type", &text),
                ("data_key", &text),
                ("data_file_id", &text),
                ("file_path", &text),
                ("file_size", &count),
            ]),
        ),
        (
            "DataExists",
            object(&[
                ("cache_id", &id),
                ("data_type", &text),
                ("data_key", &text),
                ("data_file_id", &text),
                ("exists", &flag),
                ("namespace", &text),
            ]),
        ),
        (
            "DataList",
            object(&[
                ("cache_id", &id),
                ("namespace", &text),
                ("data_key", &text),
                ("file_count", &count),
                (
                    "files",
                    &json!({"type": "array", "items": object(&[
                        ("data_file_id", &text), ("data_key", &text), ("data_type", &text), ("file_path", &text),
                        ("file_size", &count), ("extension", &text),
                    ])}),
                ),
                ("total_size", &count),
            ]),
        ),
        (
            "DataDeleted",
            object(&[
                ("status", &text),
                ("message", &text),
                ("cache_id", &id),
                ("data_file_id", &text),
                ("data_type", &text),
                ("data_key", &maybe_text),
                ("namespace", &text),
            ]),
        ),
        (
            "DataAllDeleted",
            json!({
                "type": "object",
                "required": ["status", "message", "cache_id", "deleted_count", "data_key", "namespace"],
                "properties": {
                    "status": text, "message": text, "cache_id": id, "deleted_count": count,
                    "deleted_files": texts, "data_key": maybe_text, "namespace": text,
                },
            }),
        ),
        (
            "Fixtures",
            object(&[
                ("data", &json!({"type": "object"})),
                ("metadata", &json!({"$ref": "#/components/schemas/StoredData"})),
                ("data_type", &text),
                ("content_encoding", &maybe_text),
            ]),
        ),
        (
            "SamplesCreated",
            object(&[
                ("success", &flag),
                ("timestamp", &time),
                ("entries_created", &count),
                ("namespaces", &texts),
                ("strategies_used", &texts),
                ("entries", &json!({"type": "array", "items": {"type": "object"}})),
                ("message", &text),
            ]),
        ),
        (
            "Cleared",
            object(&[
                ("success", &flag),
                ("namespace", &text),
                ("files_deleted", &count),
                ("message", &text),
                ("error", &text),
            ]),
        ),
        (
            "ZipStored",
            object(&[
                ("cache_id", &id),
                ("cache_hash", &hash),
                ("namespace", &text),
                ("paths", &paths),
                ("size", &count),
                ("file_count", &count),
                ("stored_at", &time),
                ("error_type", &maybe_text),
                ("error_message", &maybe_text),
                ("success", &flag),
            ]),
        ),
        (
            "ZipOp",
            object(&[
                ("success", &flag),
                ("operation", &json!({"type": "string", "enum": ["list", "add", "remove"]})),
                ("cache_id", &id),
                ("original_cache_id", &maybe_id),
                ("message", &text),
                ("file_list", &texts),
                ("file_content", &text),
                ("file_size", &count),
                ("files_affected", &texts),
                ("error_details", &text),
            ]),
        ),
        (
            "ZipBatch",
            json!({
                "type": "object",
                "properties": {
                    "atomic": {"type": "boolean", "default": true},
                    "cache_id": maybe_text,
                    "namespace": {"type": "string", "default": "default"},
                    "strategy": {"anyOf": [
                        {"type": "string", "enum": Strategy::ALL.map(Strategy::name)}, {"type": "null"},
                    ]},
                    "operations": {
                        "type": "array", "default": [],
                        "items": {"$ref": "#/components/schemas/ZipBatchOperation"},
                    },
                },
            }),
        ),
        (
            "ZipBatchOperation",
            json!({
                "type": "object",
                "properties": {
                    "action": {"anyOf": [
                        {"type": "string", "enum": Action::ALL.map(Action::name)}, {"type": "null"},
                    ]},
                    "path": {"type": ["string", "null"], "maxLength": 1024},
                    "content": {"type": ["string", "null"], "description": "stored as UTF-8"},
                    "new_path": {"type": ["string", "null"], "maxLength": 1024},
                    "condition": {
                        "type": "string", "enum": Condition::ALL.map(Condition::name), "default": "always",
                    },
                    "pattern": {
                        "type": ["string", "null"], "maxLength": 512,
                        "description": "members to remove: * is any characters, ? any one, [a-c] one of these",
                    },
                },
            }),
        ),
        (
            "ZipBatchDone",
            object(&[
                ("success", &flag),
                ("cache_id", &id),
                ("original_cache_id", &id),
                ("operations_applied", &count),
                ("operations_failed", &count),
                (
                    "operation_results",
                    &json!({
                        "type": "array",
                        "items": object(&[
                            ("action", &maybe_text), ("path", &text), ("success", &flag), ("error", &text),
                        ]),
                    }),
                ),
                ("files_added", &texts),
                ("files_removed", &texts),
                ("files_modified", &texts),
                ("new_file_count", &count),
                ("new_size", &count),
                ("completed_at", &time),
                ("rollback_performed", &flag),
                ("error_message", &text),
            ]),
        ),
        ("Names", texts.clone()),
        (
            "Stats",
            object(&[
                ("namespace", &text),
                ("ttl_hours", &count),
                ("direct_files", &count),
                ("temporal_files", &count),
                ("temporal_latest_files", &count),
                ("temporal_versioned_files", &count),
                ("refs_hash_files", &count),
                ("refs_id_files", &count),
                ("total_files", &count),
            ]),
        ),
        ("BucketName", object(&[("bucket-name", &text)])),
        ("FileExists", object(&[("exists", &flag), ("path", &text)])),
        ("FileDeleted", object(&[("path", &text), ("deleted", &flag)])),
        ("AllFiles", object(&[("timestamp", &time), ("file_count", &count), ("files", &texts)])),
        (
            "StorageInfo",
            json!({
                "type": "object", "required": ["storage_mode", "ttl_hours"],
                "properties": {
                    "storage_mode": text, "ttl_hours": count, "s3_bucket": text, "local_disk_path": text,
                    "sqlite_path": text, "zip_path": text,
                },
            }),
        ),
        ("Health", object(&[("status", &json!({"type": "string", "const": "ok"}))])),
        (
            "Status",
            object(&[
                ("name", &text),
                ("version", &text),
                ("status", &text),
                ("environment", &text),
            ]),
        ),
        ("Versions", json!({"type": "object", "additionalProperties": text})),
        (
            "Server",
            object(&[
                ("server_id", &maybe_text),
                ("server_name", &maybe_text),
                ("server_instance_id", &id),
                ("server_boot_time", &time),
            ]),
        ),
        (
            "SetCookie",
            json!({"type": "object", "properties": {"cookie_value": {"type": "string", "default": ""}}}),
        ),
        (
            "CookieSet",
            object(&[("message", &text), ("cookie_name", &text), ("cookie_value", &text)]),
        ),
        (
            "Unauthorized",
            object(&[
                ("data", &json!({"type": "null"})),
                ("error", &json!({"type": "null"})),
                ("message", &text),
                ("status", &json!({"type": "string", "const": "error"})),
            ]),
        ),
        ("Error", json!({"type": "object", "required": ["detail"], "properties": {"detail": {}}})),
        ("Missing", json!({"type": "object"})),
    ];
    schemas
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect::<Map<_, _>>()
        .into()
}

/// An object with exactly these members, all of them always there.
fn object(members: &[(&str, &Value)]) -> Value {
    let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), (*schema).clone())).collect();
    json!({
        "type": "object", "required": names, "properties": properties, "additionalProperties": false,
    })
}
