"""Training: fitting with resume, guards, learning-rate schedules, hyperparameter search, several machines."""
