"""Validates the JSON documents on standard input: those of Kubernetes by the schemas of the package kubernetes-validate,
and those of SpinKube and KEDA by the schemas of the file in the first argument. The second is the version of Kubernetes.
Prints one line for each error."""

import json
import sys

import jsonschema
import kubernetes_validate

schemas = json.load(open(sys.argv[1], encoding="utf-8"))
version = sys.argv[2]
checked = 0
for document in json.load(sys.stdin):
    kind, name = document["kind"], document["metadata"]["name"]
    key = document["apiVersion"] + "/" + kind
    checked += 1
    if key in schemas:
        validator = jsonschema.Draft202012Validator(schemas[key])
        for error in validator.iter_errors(document):
            print(f"{kind} {name}: {error.json_path}: {error.message}")
        continue
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        print(f"{kind} {name}: {error}")
print(f"{checked} documents", file=sys.stderr)
