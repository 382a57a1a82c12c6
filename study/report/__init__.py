"""What a reader gets of finished trials: tables, figures, and one page."""
