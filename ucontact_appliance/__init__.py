"""The uContact appliance: sizes, installs, proves and audits a contact centre on premise."""

__version__ = "0.1.0"
