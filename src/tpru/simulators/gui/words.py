"""The words on the phone, in three languages of the seen look and three of the unseen one."""

LANGUAGES = ("English", "Spanish", "German", "French", "Portuguese", "Italian")

# A table has one line per language, with the same words in the same order.
_TABLES = (
    (
        "Contacts,Settings,Clock,Shop,Chat,Calendar,Notes,Maps,Photos",
        "Contactos,Ajustes,Reloj,Tienda,Charla,Agenda,Notas,Mapas,Fotos",
        "Kontakte,System,Uhr,Laden,Plausch,Kalender,Notizen,Karten,Bilder",
        "Répertoire,Réglages,Horloge,Magasin,Discussion,Calendrier,Carnet,Cartes,Galerie",
        "Pessoas,Definições,Relógio,Loja,Conversas,Calendário,Apontamentos,Mapa,Imagens",
        "Rubrica,Impostazioni,Orologio,Negozio,Messaggi,Calendario,Appunti,Mappe,Immagini",
    ),
    (
        "New contact,Name,Phone,Message,New group,Speak,Send,Sent,Invite,Friends",
        "Nuevo contacto,Nombre,Teléfono,Mensaje,Nuevo grupo,Hablar,Enviar,Enviado,Invitar,Amigos",
        "Neuer Kontakt,Name,Telefon,Nachricht,Neue Gruppe,Sprechen,Senden,Gesendet,Einladen,Freunde",
        "Nouveau contact,Nom,Téléphone,Message,Nouveau groupe,Parler,Envoyer,Envoyé,Inviter,Amis",
        "Novo contato,Nome,Telefone,Mensagem,Novo grupo,Falar,Mandar,Mandado,Convidar,Amizades",
        "Nuovo contatto,Nome,Telefono,Messaggio,Nuovo gruppo,Parla,Invia,Inviato,Invita,Amici",
    ),
    (
        "Share",
        "Compartir",
        "Teilen",
        "Partager",
        "Partilhar",
        "Condividi",
    ),
    (
        "Save,Saved,Ended,Deleted,Delete?,No,Yes,Select,New,Search,Change,Start,Leave",
        "Guardar,Guardado,Fin,Borrado,¿Borrar?,No,Sí,Elegir,Nuevo,Buscar,Cambiar,Empezar,Salir",
        "Sichern,Gesichert,Ende,Gelöscht,Löschen?,Nein,Ja,Wählen,Neu,Suche,Ändern,Los,Verlassen",
        "Garder,Gardé,Terminé,Effacé,Effacer ?,Non,Oui,Choisir,Nouveau,Chercher,Modifier,Partir,Quitter",
        "Gravar,Gravado,Acabou,Apagado,Apagar?,Não,Sim,Escolher,Novo,Procurar,Mudar,Iniciar,Deixar",
        "Salva,Salvato,Finito,Eliminato,Eliminare?,No,Sì,Scegli,Nuova,Cerca,Modifica,Avvia,Esci",
    ),
    (
        "Text,Title,Code",
        "Texto,Título,Clave",
        "Text,Titel,Kennwort",
        "Texte,Titre,Bon",
        "Escrito,Assunto,Vale",
        "Testo,Titolo,Codice",
    ),
    (
        "Display,Sound,Network,Privacy,Turning,Camera,Dark mode,Small,Medium,Large,Password,Vibration",
        "Pantalla,Sonido,Red,Seguridad,Girar,Cámara,Modo oscuro,Poco,Medio,Mucho,Clave,Vibrar",
        "Anzeige,Ton,Netz,Schutz,Drehen,Kamera,Dunkel,Klein,Mittel,Gross,Kennwort,Rütteln",
        "Écran,Son,Réseau,Vie privée,Rotation,Appareil,Mode sombre,Petit,Moyen,Grand,Secret,Vibreur",
        "Ecrã,Som,Rede,Sigilo,Rodar,Câmara,Modo escuro,Pequeno,Normal,Enorme,Senha,Vibração",
        "Schermo,Suono,Rete,Riservato,Ruota,Fotocamera,Modo scuro,Piccolo,Medio,Grande,Parola,Vibra",
    ),
    (
        "Tune,Bell,Birds,Waves",
        "Tono,Campana,Aves,Olas",
        "Melodie,Glocke,Vögel,Wellen",
        "Air,Cloche,Oiseaux,Vagues",
        "Toque,Sino,Pássaros,Ondas",
        "Melodia,Campane,Uccelli,Onde",
    ),
    (
        "New alarm,Mo Tu We Th Fr Sa Su,Reminder,March,May,June,August",
        "Nueva alarma,Lu Ma Mi Ju Vi Sá Do,Aviso,Marzo,Mayo,Junio,Agosto",
        "Neuer Wecker,Mo Di Mi Do Fr Sa So,Erinnern,März,Mai,Juni,August",
        "Nouvelle alarme,Lu Ma Me Je Ve Sa Di,Rappel,Mars,Mai,Juin,Août",
        "Novo alarme,Se Te Qa Qi Sx Sá Do,Lembrete,Março,Maio,Junho,Agosto",
        "Nuova sveglia,Lu Ma Me Gi Ve Sa Do,Promemoria,Marzo,Maggio,Giugno,Agosto",
    ),
    (
        "Product,Buy,Cart,In the cart,Total,Order,Orders,Thank you!,Pay,Card,Letter",
        "Producto,Comprar,Cesta,En la cesta,Total,Pedir,Pedidos,¡Gracias!,Pagar,Tarjeta,Carta",
        "Ware,Kaufen,Korb,Im Korb,Summe,Bestellen,Käufe,Danke!,Zahlen,Karte,Brief",
        "Produit,Acheter,Panier,Au panier,Somme,Commande,Commandes,Merci !,Payer,Carte,Lettre",
        "Artigo,Compre,Carrinho,No carrinho,Soma,Encomenda,Encomendas,Obrigado!,Pague,Cartão,Envelope",
        "Prodotto,Compra,Carrello,Nel carrello,Totale,Ordine,Ordini,Grazie!,Paga,Carta,Lettera",
    ),
    (
        "Review,Very good,Photo",
        "Opinión,Muy bueno,Foto",
        "Urteil,Sehr gut,Bild",
        "Avis,Très bien,Image",
        "Crítica,Muito bom,Imagem",
        "Voto,Molto buono,Immagine",
    ),
    (
        "Map,Place,Stop,Ticket,Bus,Satellite,Holiday,Food,Drawing,Light,New album,Albums",
        "Mapa,Lugar,Parada,Billete,Autobús,Satélite,Viaje,Comida,Dibujo,Luz,Nuevo álbum,Álbumes",
        "Plan,Ort,Halt,Karte,Bus,Satellit,Urlaub,Essen,Zeichnung,Licht,Neues Album,Alben",
        "Carte,Lieu,Arrêt,Ticket,Car,Vu du ciel,Vacances,Cuisine,Dessin,Lumière,Nouvel album,Collections",
        "Planta,Local,Paragem,Bilhete,Ônibus,Do alto,Férias,Refeições,Desenho,Brilho,Novo álbum,Coleções",
        "Mappa,Luogo,Fermata,Biglietto,Autobus,Dall'alto,Ferie,Cibo,Disegno,Luce,Nuovo album,Raccolte",
    ),
)

# English words to the words of all languages, in the order of LANGUAGES.
WORDS: dict[str, tuple[str, ...]] = {
    words[0]: words for lines in _TABLES for words in zip(*(line.split(",") for line in lines), strict=True)
}
