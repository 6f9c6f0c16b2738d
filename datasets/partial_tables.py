"""The real partial-label data sets of the field, from their MATLAB files."""

from __future__ import annotations

from bench.data.candidate_tables import CandidateTable, layout


class Lost(CandidateTable):
    """Faces of a TV series; candidates are the names in the script at that moment.

    1,122 samples, 108 features, 16 classes, 2.23 candidates on average.
    """

    name = "lost"
    paper = "Cour, Sapp and Taskar, Learning from Partial Labels, JMLR 2011"
    file = "lost.mat"
    layout = layout(file, name)
    official_size = (561, 561)


class Msrcv2(CandidateTable):
    """Image segments; candidates are the objects that the whole image shows.

    1,758 samples, 48 features, 23 classes, 3.16 candidates on average.
    """

    name = "msrcv2"
    paper = "Liu and Dietterich, A Conditional Multinomial Mixture Model, NIPS 2012"
    file = "MSRCv2.mat"
    layout = layout(file, name)
    official_size = (879, 879)


class FgNet(CandidateTable):
    """Ages of faces; candidates are what ten people guessed, and the true age.

    1,002 samples, 262 features, 78 classes, 7.48 candidates on average.
    """

    name = "fg-net"
    paper = "Panis et al., Overview of Research on Facial Ageing Using FG-NET, IET Biometrics 2016"
    file = "FG-NET.mat"
    layout = layout(file, name)
    official_size = (501, 501)


class BirdSong(CandidateTable):
    """Bird calls; candidates are the species heard in the same ten seconds.

    4,998 samples, 38 features, 13 classes, 2.18 candidates on average.
    """

    name = "birdsong"
    paper = "Briggs, Fern and Raich, Rank-loss Support Instance Machines, KDD 2012"
    file = "BirdSong.mat"
    layout = layout(file, name)


class SoccerPlayer(CandidateTable):
    """Faces of football players; candidates are the names in the caption."""

    name = "soccer-player"
    paper = "Zeng et al., Learning by Associating Ambiguously Labeled Images, CVPR 2013"
    file = "Soccer Player.mat"
    layout = layout(file, name)


class YahooNews(CandidateTable):
    """Faces in news photographs; candidates are the names in the caption."""

    name = "yahoo-news"
    paper = "Guillaumin, Verbeek and Schmid, Metric Learning from Bags of Faces, ECCV 2010"
    file = "Yahoo! News.mat"
    layout = layout(file, name)


class Mirflickr(CandidateTable):
    """Photographs; candidates are the tags that users gave."""

    name = "mirflickr"
    paper = "Huiskes and Lew, The MIR Flickr Retrieval Evaluation, MIR 2008"
    file = "Mirflickr.mat"
    layout = layout(file, name)


class Italian(CandidateTable):
    """Parts of speech of Italian words; candidates come from a dictionary.

    21,878 samples, 519 features, 90 classes, 1.60 candidates on average.
    """

    name = "italian"
    paper = "circulates with the real partial-label sets of the field; its source was not verified"
    file = "italian.mat"
    layout = layout(file, name)


class Malagasy(CandidateTable):
    """Parts of speech of Malagasy words; candidates come from a dictionary."""

    name = "malagasy"
    paper = "Garrette and Baldridge, Learning a Part-of-Speech Tagger, NAACL-HLT 2013"
    file = "malagasy.mat"
    layout = layout(file, name)


class English(CandidateTable):
    """Parts of speech of English words; candidates come from a dictionary."""

    name = "english"
    paper = "circulates with the real partial-label sets of the field; its source was not verified"
    file = "english.mat"
    layout = layout(file, name)
