"""Stock as a file: CSV, TSV, XLSX, JSON lines or JSON, by HTTPS, SFTP or in a folder; see docs/suppliers.md."""
