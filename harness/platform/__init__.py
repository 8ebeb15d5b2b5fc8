"""The processes of a trial: started in their own groups, gone afterwards in every case."""
