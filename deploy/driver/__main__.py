"""The driver's command line; `make package`, `make deploy` and `make destroy` call it."""

import argparse
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from deploy.driver.commands import RealCommands
from deploy.driver.deployment import DeploymentSteps, Options, Tools
from deploy.driver.errors import DeployError, RefusedError
from deploy.driver.packages import BUILD, ROOT, Packages, make_packages, table
from deploy.driver.removal import Removal
from deploy.driver.terraform import Terraform
from ndjson_pipeline.deployment.settings import ENVIRONMENTS
from ndjson_pipeline.errors import PipelineError

TERRAFORM = ROOT / "deploy" / "terraform"

_SECONDS_TO_ANSWER = 5
_NAMES_AN_IMAGE = re.compile(r"^\s*dagster_image\s*=", re.MULTILINE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.driver", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    package = steps.add_parser("package", help="write all that a deployment brings into a folder")
    deploy = steps.add_parser("deploy", help="package, plan, ask, upload, apply, reload, smoke")
    destroy = steps.add_parser("destroy", help="take an environment away, after a question")
    for one in (package, deploy, destroy):
        one.add_argument("--folder", type=Path, default=BUILD, help="where packages are written")
    for one in (deploy, destroy):
        one.add_argument("--environment", choices=ENVIRONMENTS, required=True)
        one.add_argument("--terraform", type=Path, default=TERRAFORM, help="the root module")
        one.add_argument("--image", help="the name of an image that is there, instead of one that is built")
    deploy.add_argument("--yes", action="store_true", help="apply without a question, as CI does")
    deploy.add_argument("--ui-url", help="where Dagster's UI answers from here")
    smoke = deploy.add_mutually_exclusive_group()
    smoke.add_argument("--smoke", dest="smokes", action="store_true", default=None)
    smoke.add_argument("--no-smoke", dest="smokes", action="store_false")
    destroy.add_argument("--delete-data", action="store_true", help="even buckets that hold data")
    destroy.add_argument("--confirm", help="the environment's name, typed beforehand")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Do a step; return the exit status: 0 done, 1 failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    commands = RealCommands({**os.environ, "TF_IN_AUTOMATION": "1"})
    tools = Tools(commands=commands, client=_client, ask=_ask, say=_say, answers=_answers)
    try:
        packages = make_packages(options.folder.resolve(), commands)
        if options.step == "destroy":
            _destroy(options, packages, tools)
            return 0
        _say(table(packages))
        if options.step == "deploy":
            _deploy(options, packages, tools)
    except (DeployError, PipelineError, BotoCoreError, ClientError, Boto3Error) as error:
        print(f"{options.step}: {error}", file=sys.stderr)
        return 1
    return 0


def _deploy(options: argparse.Namespace, packages: Packages, tools: Tools) -> None:
    # A smoke test puts made-up records among the others.
    smokes = options.environment == "dev" if options.smokes is None else options.smokes
    chosen = Options(options.environment, options.image, options.yes, smokes, options.ui_url)
    terraform = Terraform(tools.commands, options.terraform.resolve(), options.environment)
    DeploymentSteps(chosen, packages, terraform, tools).run(image_variables(options, packages))


def _destroy(options: argparse.Namespace, packages: Packages, tools: Tools) -> None:
    terraform = Terraform(tools.commands, options.terraform.resolve(), options.environment)
    Removal(options.environment, terraform, tools, packages.folder).run(
        image_variables(options, packages), deletes_data=options.delete_data, confirmed=options.confirm
    )


def image_variables(options: argparse.Namespace, packages: Packages) -> dict[str, str]:
    """Return the root module's variables of the image and of what was built.

    The image is the one that was asked for, else the one that the environment's file names, else the one that
    is built: Terraform takes exactly one of the two variables.
    """
    variables = {"package_directory": str(packages.folder)}
    if options.image:
        return variables | {"dagster_image": options.image}
    named = options.terraform / f"{options.environment}.tfvars"
    if not named.is_file():
        raise DeployError(f"{named} is missing; it says how {options.environment} differs from the defaults")
    if _NAMES_AN_IMAGE.search(named.read_text()):
        return variables
    return variables | {"dagster_image_tag": packages.image_tag}


def _client(service: str, region: str) -> Any:
    session: Any = boto3.session.Session()
    return session.client(service, region_name=region)


def _ask(question: str) -> str:
    try:
        return input(question)
    except EOFError as error:
        raise RefusedError(
            "there is nobody to ask; pass YES=1 to deploy, CONFIRM={environment} to destroy"
        ) from error


def _say(text: str) -> None:
    print(text, flush=True)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS_TO_ANSWER) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError, urllib.error.URLError):
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
