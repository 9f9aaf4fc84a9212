//! The rows of S3: the bucket, its server, and the variables that every AWS tool reads.

use super::{Group, ROW, SIZE, SWITCH, Variable};
use crate::config::storage::Mode;

pub(in crate::config) static S3_KEY_PREFIX: Variable = Variable {
    name: "CACHE__SERVICE__S3_KEY_PREFIX",
    flag: Some("s3-key-prefix"),
    meaning: "The folder of the bucket that holds the data, for buckets that hold other things, too",
    values: "a path such as team/cache, at most 512 bytes",
    group: Group::Storage,
    placeholder: "PREFIX",
    mode: Some(Mode::S3),
    ..ROW
};

pub(in crate::config) static S3_CREATE_BUCKET: Variable = Variable {
    name: "CACHE__SERVICE__S3_CREATE_BUCKET",
    flag: Some("s3-create-bucket"),
    default: Some("on"),
    meaning: "Make the bucket if it is missing; off: do not start then",
    values: SWITCH,
    group: Group::Storage,
    placeholder: "ON|OFF",
    mode: Some(Mode::S3),
    ..ROW
};

pub(in crate::config) static S3_PATH_STYLE: Variable = Variable {
    name: "CACHE__SERVICE__S3_PATH_STYLE",
    flag: Some("s3-path-style"),
    meaning: "Name the bucket in the path of requests and not in the host. Unset: with an endpoint \
         URL only",
    values: SWITCH,
    group: Group::Storage,
    placeholder: "ON|OFF",
    mode: Some(Mode::S3),
    ..ROW
};

pub(in crate::config) static S3_ENCRYPTION: Variable = Variable {
    name: "CACHE__SERVICE__S3_ENCRYPTION",
    flag: Some("s3-encryption"),
    meaning: "What S3 is asked to encrypt with; unset: the bucket's own setting",
    values: "AES256 or aws:kms",
    group: Group::Storage,
    placeholder: "KIND",
    mode: Some(Mode::S3),
    ..ROW
};

pub(in crate::config) static S3_KMS_KEY_ID: Variable = Variable {
    name: "CACHE__SERVICE__S3_KMS_KEY_ID",
    flag: Some("s3-kms-key-id"),
    meaning: "The key of aws:kms; unset: the account's own for S3",
    values: "the id or the ARN of a key",
    group: Group::Storage,
    placeholder: "KEY",
    mode: Some(Mode::S3),
    ..ROW
};

pub(in crate::config) static S3_ATTEMPT_SECONDS: Variable = Variable {
    name: "CACHE__SERVICE__S3_ATTEMPT_SECONDS",
    flag: Some("s3-attempt-seconds"),
    default: Some("5"),
    meaning: "How long S3 may take over one request, beside a second for each MiB of value",
    values: "a whole number of seconds, 1 to 86400",
    group: Group::Storage,
    placeholder: "SECONDS",
    mode: Some(Mode::S3),
    ..ROW
};

pub(in crate::config) static S3_DEADLINE_SECONDS: Variable = Variable {
    name: "CACHE__SERVICE__S3_DEADLINE_SECONDS",
    flag: Some("s3-deadline-seconds"),
    default: Some("20"),
    meaning: "How long failed requests are tried again before the answer is 503",
    values: "a whole number of seconds, 1 to 86400",
    group: Group::Storage,
    placeholder: "SECONDS",
    mode: Some(Mode::S3),
    ..ROW
};

pub(in crate::config) static S3_REDIRECT_BYTES: Variable = Variable {
    name: "CACHE__SERVICE__S3_REDIRECT_BYTES",
    flag: Some("s3-redirect-bytes"),
    default: Some("1MiB"),
    meaning: "The smallest binary content for which ?redirect=true is answered with a signed address \
              in the bucket",
    values: SIZE,
    group: Group::Storage,
    placeholder: "SIZE",
    mode: Some(Mode::S3),
    ..ROW
};

pub(in crate::config) static S3_REDIRECT_SECONDS: Variable = Variable {
    name: "CACHE__SERVICE__S3_REDIRECT_SECONDS",
    flag: Some("s3-redirect-seconds"),
    default: Some("900"),
    meaning: "How long such an address is good for, unless the credentials end earlier",
    values: "a whole number of seconds, 1 to 86400",
    group: Group::Storage,
    placeholder: "SECONDS",
    mode: Some(Mode::S3),
    ..ROW
};

pub(in crate::config) static AWS_REGION: Variable = Variable {
    name: "AWS_REGION",
    flag: Some("aws-region"),
    meaning: "Region of the bucket. Whatever the mode, /info/status says aws-lambda when it is set",
    values: "a region, such as eu-west-1",
    group: Group::Aws,
    placeholder: "REGION",
    ..ROW
};

pub(in crate::config) static AWS_DEFAULT_REGION: Variable = Variable {
    name: "AWS_DEFAULT_REGION",
    flag: Some("aws-default-region"),
    meaning: "Region of the bucket when AWS_REGION is unset",
    values: "a region, such as eu-west-1",
    group: Group::Aws,
    placeholder: "REGION",
    ..ROW
};

pub(in crate::config) static AWS_ENDPOINT_URL_S3: Variable = Variable {
    name: "AWS_ENDPOINT_URL_S3",
    flag: Some("aws-endpoint-url-s3"),
    meaning: "Address of an S3-compatible server; wins over AWS_ENDPOINT_URL",
    values: "a URL that starts with http:// or https://",
    group: Group::Aws,
    placeholder: "URL",
    ..ROW
};

pub(in crate::config) static AWS_ENDPOINT_URL: Variable = Variable {
    name: "AWS_ENDPOINT_URL",
    flag: Some("aws-endpoint-url"),
    meaning: "Address of an S3-compatible server; unset: AWS itself",
    values: "a URL that starts with http:// or https://",
    group: Group::Aws,
    placeholder: "URL",
    ..ROW
};

pub(in crate::config) static AWS_PROFILE: Variable = Variable {
    name: "AWS_PROFILE",
    flag: Some("aws-profile"),
    meaning: "Profile of the AWS configuration files to use",
    values: "the name of a profile",
    group: Group::Aws,
    placeholder: "PROFILE",
    ..ROW
};

pub(in crate::config) static AWS_ACCESS_KEY_ID: Variable = Variable {
    name: "AWS_ACCESS_KEY_ID",
    flag: Some("aws-access-key-id"),
    meaning: "Access key; goes with AWS_SECRET_ACCESS_KEY",
    values: "the id of an access key",
    group: Group::Aws,
    placeholder: "ID",
    ..ROW
};

pub(in crate::config) static AWS_SECRET_ACCESS_KEY: Variable = Variable {
    name: "AWS_SECRET_ACCESS_KEY",
    meaning: "The secret of the access key",
    values: "the secret that belongs to AWS_ACCESS_KEY_ID",
    group: Group::Aws,
    secret: true,
    ..ROW
};

pub(in crate::config) static AWS_SESSION_TOKEN: Variable = Variable {
    name: "AWS_SESSION_TOKEN",
    meaning: "The session token that belongs to a temporary access key",
    values: "the token that belongs to AWS_ACCESS_KEY_ID",
    group: Group::Aws,
    secret: true,
    ..ROW
};
