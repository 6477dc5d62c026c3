"""Sub-commands of `merl` that work on models and data, mounted from one module each."""

import typer

from merl_core.bulk_cli import app as bulk_app
from merl_core.checkpoint_cli import app as checkpoint_app
from merl_core.data_cli import app as data_app
from merl_core.evaluation_cli import app as evaluation_app
from merl_core.simulation_cli import app as simulation_app
from merl_core.training_cli import app as training_app

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(evaluation_app)
app.add_typer(training_app)
app.add_typer(simulation_app)
app.add_typer(checkpoint_app, name="checkpoint")
app.add_typer(data_app, name="data")
app.add_typer(bulk_app, name="bulk")
