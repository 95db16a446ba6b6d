"""What functions and the resident Spark job share: queue, models in force, worker. Clients come in as arguments."""
