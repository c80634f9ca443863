#!/usr/bin/env python3
"""Writes the API hosts of ECR as AWS publishes them, for tests/integration/registry/endpoints.rs.

Needs botocore (`pip install botocore`), which ships AWS's endpoint rule sets and tables. No network.
Usage: scripts/endpoint-tables.py > tests/data/ecr-endpoints.json
"""

import json

import botocore.session
from botocore.endpoint_provider import EndpointProvider

session = botocore.session.get_session()
loader = session.get_component("data_loader")
partitions = loader.load_data("partitions")
tables = loader.load_data("endpoints")


def rules(service):
    """The endpoint rule set of a service, ready to be asked."""
    return EndpointProvider(loader.load_service_model(service, "endpoint-rule-set-1"), partitions)


def rule_host(provider, region, fips, dual_stack):
    """What the rule set answers, without the scheme."""
    return provider.resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dual_stack).url.split("//")[1]


def documented_fips(partition, region):
    """The FIPS host that endpoints.json has for the region, or none."""
    for table in tables["partitions"]:
        if table["partition"] != partition:
            continue
        service = table["services"].get("api.ecr", {})
        for place in (service.get("endpoints", {}).get(region, {}), service.get("defaults", {})):
            for variant in place.get("variants", []):
                if variant["tags"] == ["fips"]:
                    return variant["hostname"].format(region=region, dnsSuffix=table["dnsSuffix"])
    return None


ecr, public = rules("ecr"), rules("ecr-public")
rows = []
for partition in partitions["partitions"]:
    for region in sorted(partition["regions"]):
        if region.endswith("-global"):
            continue
        rows.append(
            {
                "partition": partition["id"],
                "region": region,
                "plain": rule_host(ecr, region, False, False),
                "dual_stack": rule_host(ecr, region, False, True),
                "fips": rule_host(ecr, region, True, False),
                "fips_dual_stack": rule_host(ecr, region, True, True),
                "documented_fips": documented_fips(partition["id"], region),
            }
        )
print(
    json.dumps(
        {
            "ecr": rows,
            "ecr_public": {
                "plain": rule_host(public, "us-east-1", False, False),
                "dual_stack": rule_host(public, "us-east-1", False, True),
            },
        },
        indent=1,
    )
)
