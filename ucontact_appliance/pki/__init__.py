"""The site's keys and certificates on the machine that installs."""
