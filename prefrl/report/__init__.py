"""The report of a run: one HTML file that needs nothing else."""

from prefrl.report.page import write_report as write_report
