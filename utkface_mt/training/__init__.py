"""Training: fitting with resume, frozen-backbone features, learning-rate schedules, hyperparameter search."""
