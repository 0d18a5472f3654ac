"""`python -m ucontact_appliance`."""

from ucontact_appliance.cli.main import main

main()
